"""Every refusal as one document: RFC 9457 with the envelope that clients read.

One function makes the document; DRF, Django's own handlers and the edge call it.
"""

import json
import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template.loader import render_to_string
from django.views import defaults
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail
from rest_framework.response import Response

from config import context, errors
from config.errors import DomainError
from config.lines import CONTROL_CHARACTERS, CONTROL_CHARACTERS_SAID

CONTENT_TYPE = "application/problem+json"
NON_FIELD = "non_field_errors"
RETRY_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

# The words that stand in `errors[].code` beside a `field`. Others become `invalid`.
FIELD_CODES = {
    "required": "The field is missing.",
    "null": "The field must not be null.",
    "blank": "The field must not be empty.",
    "invalid": "The value has the wrong type or form.",
    "invalid_choice": "The value is not one of those allowed.",
    "max_length": "The text is too long.",
    "min_length": "The text is too short.",
    "max_value": "The number is too large.",
    "min_value": "The number is too small.",
    "not_allowed": "The field cannot be set here.",
    "null_characters_not_allowed": "The text contains a NUL character.",
    "surrogate_characters_not_allowed": "The text contains half a character.",
    CONTROL_CHARACTERS: CONTROL_CHARACTERS_SAID,
    "password_too_short": "The password is too short.",
    "password_too_long": "The password is too long.",
    "password_too_common": "The password is among the most used ones.",
    "password_too_similar": "The password resembles the person's own data.",
    "password_too_weak": "The password is too easy to guess.",
}

# Framework exceptions that say the same as one of our reasons.
TRANSLATIONS: list[tuple[type[Exception], type[DomainError]]] = [
    (exceptions.ParseError, errors.MalformedRequest),
    (exceptions.NotAuthenticated, errors.NotAuthenticated),
    (exceptions.AuthenticationFailed, errors.NotAuthenticated),
    (exceptions.PermissionDenied, errors.PermissionDenied),
    (exceptions.NotFound, errors.NotFound),
    (exceptions.MethodNotAllowed, errors.MethodNotAllowed),
    (exceptions.UnsupportedMediaType, errors.UnsupportedMediaType),
    (exceptions.Throttled, errors.TooManyRequests),
    (DataError, errors.MalformedRequest),
    (IntegrityError, errors.Conflict),
    # Deadlock, serialization failure, timeout, locked file, no connection, full disk.
    (OperationalError, errors.Unavailable),
    (InterfaceError, errors.Unavailable),
]

# PostgreSQL's states that pass by themselves and that Django knows no class for: a
# standby during a failover, a transaction that idled too long.
PASSING_STATES = {"25006", "25P03"}

logger = structlog.get_logger("problems")


def document(
    problem: DomainError, faults: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The body. `faults` replaces the one entry of `errors`."""
    entry = {"code": problem.code, "message": problem.message, "field": None}
    return {
        "type": f"/docs/errors#{problem.code}",
        "title": title(problem.code),
        "status": problem.status,
        "detail": problem.message,
        "instance": f"urn:uuid:{context.current().request_id}",
        "success": False,
        "errors": faults or [entry],
        **problem.members,
    }


def title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def headers(problem: DomainError) -> dict[str, str]:
    found = {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.REQUEST_TIMEOUT:
        # What may still arrive belongs to no other request (RFC 9110 §15.5.9).
        found["Connection"] = "close"
    if problem.status in RETRY_LATER:
        found["Retry-After"] = str(max(1, math.ceil(problem.retry_after or 1)))
    return found


def encode(problem: DomainError) -> bytes:
    """The body as bytes, for layers below DRF."""
    return json.dumps(document(problem)).encode()


# --- DRF ---------------------------------------------------------------------------


def exception_handler(exc: Exception, _: Mapping[str, Any]) -> Response | None:
    """None for what nobody foresaw: Django logs it and calls `server_error`."""
    if isinstance(exc, exceptions.ValidationError):
        problem: DomainError = errors.ValidationFailed()
        return _response(problem, document(problem, list(_faults(exc.detail))))
    reason = translate(exc)
    if reason is None:
        return None
    return _response(reason, document(reason))


def translate(exc: Exception) -> DomainError | None:
    if isinstance(exc, DomainError):
        return exc
    if str(getattr(exc.__cause__, "sqlstate", None)) in PASSING_STATES:
        return errors.Unavailable()
    for theirs, ours in TRANSLATIONS:
        if isinstance(exc, theirs):
            if isinstance(exc, OperationalError | InterfaceError):
                logger.warning("database_refused", kind=type(exc).__name__)
            wait = getattr(exc, "wait", None)
            return ours(retry_after=wait)
    return None


def _response(problem: DomainError, body: dict[str, Any]) -> Response:
    return Response(
        body,
        status=problem.status,
        headers=headers(problem),
        content_type=CONTENT_TYPE,
    )


def _faults(detail: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """One entry per fault; the field is the dotted path."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            step = "" if name == NON_FIELD else str(name)
            yield from _faults(inner, ".".join(filter(None, [path, step])))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _faults(inner, path)
    else:
        yield _fault(detail, path)


def _fault(detail: ErrorDetail, path: str) -> dict[str, Any]:
    code = detail.code if detail.code in FIELD_CODES else "invalid"
    return {"code": code, "message": str(detail), "field": path or None}


# --- Django's own handlers: what never reached a DRF view --------------------------


def respond(problem: DomainError) -> HttpResponse:
    return HttpResponse(
        encode(problem),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers=headers(problem),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if in_console(request):
        return defaults.bad_request(request, exception)
    return respond(errors.MalformedRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if in_console(request):
        return defaults.permission_denied(request, exception)
    return respond(errors.PermissionDenied())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if in_console(request):
        return defaults.page_not_found(request, exception)
    return respond(errors.NotFound())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if in_console(request):
        return defaults.permission_denied(
            request, PermissionError(reason), template_name="403_csrf.html"
        )
    return respond(errors.CrossSiteRequestRefused())


def server_error(request: HttpRequest) -> HttpResponse:
    if in_console(request):
        # Django renders this page without a request, so no processor fills it.
        page = render_to_string("500.html", context.for_templates(request))
        return HttpResponseServerError(page)
    return respond(errors.InternalError())


def method_not_allowed(*allowed: str) -> HttpResponse:
    response = respond(errors.MethodNotAllowed())
    response["Allow"] = ", ".join(allowed)
    return response


def in_console(request: HttpRequest) -> bool:
    """Under the console's path people get pages."""
    return bool(settings.ADMIN_PATH) and request.path_info.startswith(
        f"/{settings.ADMIN_PATH}"
    )
