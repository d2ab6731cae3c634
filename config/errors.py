"""The ways in which this system says no: a leaf that imports nothing of ours."""

from typing import Any, ClassVar


class DomainError(Exception):
    """The business said no. Subclasses name the reason; config.api renders it.

    `members` become extension members of the problem document (RFC 9457 §3.2);
    `retry_after` is in seconds and becomes the Retry-After header.
    """

    status: ClassVar[int] = 409
    code: ClassVar[str]
    message: ClassVar[str]

    def __init__(self, *, retry_after: int | None = None, **members: Any) -> None:
        super().__init__(self.message)
        self.retry_after = retry_after
        self.members = members


def catalogue() -> list[type[DomainError]]:
    """Every reason that the loaded apps can give, by code."""
    found: dict[str, type[DomainError]] = {}
    waiting = [DomainError]
    while waiting:
        for reason in waiting.pop().__subclasses__():
            found[reason.code] = reason
            waiting.append(reason)
    return [found[code] for code in sorted(found)]


class MalformedRequest(DomainError):
    status = 400
    code = "malformed_request"
    message = "The request could not be read: it is not well formed."


class HostNotAllowed(DomainError):
    status = 400
    code = "host_not_allowed"
    message = "The request names a host that is not served here."


class NotAuthenticated(DomainError):
    status = 401
    code = "not_authenticated"
    message = "This call needs an access token in the Authorization header."


class PermissionDenied(DomainError):
    status = 403
    code = "permission_denied"
    message = "You do not have the right to do this."


class ConfirmationNeeded(DomainError):
    """In the console: whoever sits there must know the password, too."""

    status = 403
    code = "confirmation_needed"
    message = "Nothing was changed: this needs your password."


class TooManyChosen(DomainError):
    status = 422
    code = "too_many_chosen"
    message = "These are too many at once: choose fewer."


class SecureTransportRequired(DomainError):
    status = 403
    code = "https_required"
    message = "This service answers over HTTPS only."


class OriginNotAllowed(DomainError):
    status = 403
    code = "origin_not_allowed"
    message = "Sockets are not opened from this origin."


class CrossSiteRequestRefused(DomainError):
    status = 403
    code = "csrf_failed"
    message = "The request could not be shown to come from this site."


class NotFound(DomainError):
    status = 404
    code = "not_found"
    message = "There is nothing here."


class MethodNotAllowed(DomainError):
    status = 405
    code = "method_not_allowed"
    message = "This address does not answer to this method."


class RequestTimeout(DomainError):
    status = 408
    code = "request_timeout"
    message = "The request took too long to arrive."


class Conflict(DomainError):
    status = 409
    code = "conflict"
    message = "This contradicts something that is already there."


class BodyTooLarge(DomainError):
    status = 413
    code = "body_too_large"
    message = "The body of the request is too large."


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported_media_type"
    message = "This address does not read a body of this type."


class ValidationFailed(DomainError):
    status = 422
    code = "validation_failed"
    message = "The input is not valid."


class TooManyRequests(DomainError):
    status = 429
    code = "too_many_requests"
    message = "Too many requests. Try again later."


class HeadersTooLarge(DomainError):
    status = 431
    code = "headers_too_large"
    message = "The headers of the request are too large."


class InternalError(DomainError):
    status = 500
    code = "internal_error"
    message = "Something went wrong here. The request id helps to find out what."


class Unavailable(DomainError):
    status = 503
    code = "unavailable"
    message = "The service is busy or not reachable. Try again shortly."
