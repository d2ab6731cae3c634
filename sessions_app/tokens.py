"""Access and refresh tokens: JWTs by SimpleJWT's backend, with our keys around it.

HS256 with `kid` and `typ` in the header (RFC 8725 §3.1, §3.11); claims `iss, aud, sub,
sid, jti, iat, exp, token_type`, all required, nothing personal and no role in them.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.backends import TokenBackend

from sessions_app.errors import TokenInvalid

ACCESS, REFRESH = "access", "refresh"
TYPES = {ACCESS: "at+jwt", REFRESH: "rt+jwt"}
CLAIMS = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "token_type"]

# Three segments in the one canonical form: Python's decoder would skip a newline, and
# the two spare bits at the end of an HS256 signature would make four tokens of one.
COMPACT = re.compile(
    r"\A[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,2048}"
    r"\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z"
)
MAXIMUM_JTI = 64


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires` is in seconds since the epoch."""

    user_id: UUID
    session_id: UUID
    jti: str
    expires: int


@dataclass(frozen=True, slots=True)
class Key:
    kid: str
    secret: bytes

    def successor(self, session_id: UUID, jti: str) -> str:
        """The id of the refresh token that follows `jti`, the same however often asked.

        So a client that lost the answer gets it again, and no token is ever stored.
        """
        own = hmac.digest(self.secret, b"refresh token successor", "sha256")
        message = session_id.bytes + jti.encode()
        return hmac.new(own, message, hashlib.sha256).hexdigest()


class Keyring(TokenBackend):
    """SimpleJWT's backend with several keys, `kid` and `typ`; nobody else knows them."""

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        super().__init__("HS256", issuer=settings.JWT_ISSUER)
        keys = [Key(_kid(secret), secret) for secret in secrets]
        self.signing = keys[0]
        self.keys = {key.kid: key for key in keys}

    def sign(self, payload: dict[str, Any], key: Key) -> str:
        header = {"kid": key.kid, "typ": TYPES[payload["token_type"]]}
        return jwt.encode(payload, key.secret, algorithm=self.algorithm, headers=header)

    def verify(self, token: str, kind: str, *, expired: bool) -> dict[str, Any]:
        """Raises whatever PyJWT and the header raise: `read` knows them all."""
        kid, typ = _header(token.partition(".")[0])
        if typ != TYPES[kind]:
            raise ValueError(typ)
        payload: dict[str, Any] = jwt.decode(
            token,
            self.keys[kid].secret,
            algorithms=[self.algorithm],
            audience=settings.JWT_AUDIENCE,
            issuer=settings.JWT_ISSUER,
            leeway=settings.JWT_LEEWAY,
            options={"require": CLAIMS, "strict_aud": True, "verify_exp": not expired},
        )
        if payload["token_type"] != kind:
            raise ValueError(kind)
        if not all(type(payload[name]) is int for name in ("iat", "exp")):
            raise ValueError
        return payload


# Everything that a hostile token has been seen to raise on its way through base64,
# JSON, PyJWT and our own reading: each of them is the same answer.
FAULTS = (
    jwt.PyJWTError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def keyring() -> Keyring:
    return _keyring(tuple(settings.JWT_SIGNING_KEYS), settings.SECRET_KEY)


@lru_cache(maxsize=8)
def _keyring(keys: tuple[str, ...], secret_key: str) -> Keyring:
    """Without keys of its own one is derived: SECRET_KEY itself never signs a token."""
    if keys:
        return Keyring(tuple(key.encode() for key in keys))
    derived = salted_hmac(
        "sessions_app.tokens", "signing key", secret=secret_key, algorithm="sha256"
    )
    return Keyring((derived.digest(),))


def read(token: str, kind: str, *, expired: bool = False) -> Claims:
    """Verifies a token of this kind. `expired` also takes one past its end.

    Raises TokenInvalid, whatever the fault.
    """
    try:
        if not COMPACT.match(token):
            raise ValueError
        payload = keyring().verify(token, kind, expired=expired)
        jti = payload["jti"]
        if not jti or len(jti) > MAXIMUM_JTI:
            raise ValueError
        user_id, session_id = _uuid(payload["sub"]), _uuid(payload["sid"])
        return Claims(user_id, session_id, jti, payload["exp"])
    except FAULTS as exc:
        raise TokenInvalid from exc


def access_token(*, user_id: UUID, session_id: UUID, jti: str, now: datetime) -> str:
    ring = keyring()
    expires = now + settings.ACCESS_TOKEN_LIFETIME
    payload = _payload(ACCESS, user_id, session_id, jti, now, expires)
    return ring.sign(payload, ring.signing)


def refresh_token(
    *,
    user_id: UUID,
    session_id: UUID,
    jti: str,
    issued: datetime,
    expires: datetime,
    key: Key,
) -> str:
    """Byte for byte the same for the same arguments."""
    payload = _payload(REFRESH, user_id, session_id, jti, issued, expires)
    return keyring().sign(payload, key)


def digest(jti: str) -> str:
    """What is stored of a refresh token: nothing that could be presented."""
    return hashlib.sha256(jti.encode()).hexdigest()


def _payload(
    kind: str,
    user_id: UUID,
    session_id: UUID,
    jti: str,
    issued: datetime,
    expires: datetime,
) -> dict[str, Any]:
    """In one fixed order: a repeated refresh must yield the same bytes."""
    return {
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "jti": jti,
        "iat": int(issued.timestamp()),
        "exp": int(expires.timestamp()),
        "token_type": kind,
    }


def _kid(secret: bytes) -> str:
    """Names a key and tells nothing of it."""
    return hmac.new(secret, b"kid", hashlib.sha256).hexdigest()[:12]


@lru_cache(maxsize=64)
def _header(segment: str) -> tuple[str, str]:
    padded = segment + "=" * (-len(segment) % 4)
    header = json.loads(base64.urlsafe_b64decode(padded))
    return header["kid"], header["typ"]


def _uuid(text: str) -> UUID:
    """Only in the form in which we write it."""
    value = UUID(text)
    if str(value) != text:
        raise ValueError(text)
    return value
