"""What is refused before anything looks at it, of calls and of sockets."""

from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from config import errors
from config.asgi_types import Scope
from config.health import is_health

MAXIMUM_LENGTH_DIGITS = 12
HIGHEST_PORT = 65_535
IDENTITY = "identity"
SECURE_SCHEMES = frozenset({"https", "wss"})


def refuse(scope: Scope, headers: dict[bytes, str]) -> None:
    """Raises the DomainError that says why."""
    if scope["headers"] and not headers:
        raise errors.HeadersTooLarge
    if not scope["query_string"].isascii():
        raise errors.MalformedRequest
    length = headers.get(b"content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise errors.MalformedRequest
    if len(length) > MAXIMUM_LENGTH_DIGITS or int(length) > settings.MAX_BODY_BYTES:
        raise errors.BodyTooLarge
    if int(length) or b"transfer-encoding" in headers:
        _refuse_packed(headers.get(b"content-encoding", ""))
    host = headers.get(b"host", "")
    # A probe comes from inside, by address.
    if not is_health(scope["path"]) and not _is_allowed(
        host, tuple(settings.ALLOWED_HOSTS)
    ):
        raise errors.HostNotAllowed


def _refuse_packed(encoding: str) -> None:
    """Nothing is unpacked: what looks small may be large (RFC 9110 §8.4, §15.5.16)."""
    if encoding.strip().lower() not in {"", IDENTITY}:
        raise errors.UnsupportedMediaType


@lru_cache(maxsize=256)
def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Two Host headers arrive joined with a comma and are no name."""
    domain, port = split_domain_port(host)
    if port and int(port) > HIGHEST_PORT:
        return False
    return bool(domain) and validate_host(domain, allowed)


def is_plain(scope: Scope) -> bool:
    """Plain HTTP where the environment asks for TLS; a probe comes without."""
    return (
        settings.SECURE_COOKIES
        and scope["scheme"] not in SECURE_SCHEMES
        and not is_health(scope["path"])
    )
