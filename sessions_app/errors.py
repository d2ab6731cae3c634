from config.errors import DomainError


class TokenInvalid(DomainError):
    """Whatever is wrong with a token: forged, expired, of another kind, of nobody."""

    status = 401
    code = "token_invalid"
    message = "The token is not valid or has expired."


class SessionEnded(DomainError):
    status = 401
    code = "session_ended"
    message = "This session has ended. Sign in again."


class RefreshTokenReused(DomainError):
    status = 401
    code = "refresh_token_reused"
    message = "This refresh token was already used, so its session was ended."


class ForeignSession(DomainError):
    status = 403
    code = "foreign_session"
    message = "This session belongs to somebody else."
