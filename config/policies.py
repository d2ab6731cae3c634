"""Security headers, computed once: they are the same for every answer of a kind."""

from collections.abc import Iterable, MutableMapping
from functools import cache
from typing import Any

from csp.utils import build_policy
from django.conf import settings

Header = tuple[bytes, bytes]

API_POLICY = {
    "default-src": ["'none'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
}
PAGE_POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
}
# ReDoc writes its styles at run time and searches in a worker made from a blob.
REDOC_ADDITIONS = {"style-src": ["'unsafe-inline'"], "worker-src": ["'self'", "blob:"]}
RELAXED_ADDITIONS = {
    "script-src": ["'unsafe-inline'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["https:"],
}


def headers_for(
    scope: MutableMapping[str, Any], start: MutableMapping[str, Any]
) -> Iterable[Header]:
    """What the edge adds to an answer; a Cache-Control of the answer's own stands."""
    kind = "api" if scope["path"].startswith("/api/") else "other"
    cached = False
    for name, value in start.get("headers", ()):
        name = name.lower()
        if name == b"content-type" and value.startswith(b"text/html"):
            kind = "redoc" if scope["path"] == "/redoc" else "page"
        elif name == b"cache-control":
            cached = True
    return fixed_headers(
        kind, secure=scope["scheme"] == "https", cached=cached, mode=settings.CSP_MODE
    )


def unread_request_headers(*, secure: bool) -> Iterable[Header]:
    """For the answer to what was no request at all."""
    return fixed_headers("other", secure=secure, cached=False, mode=settings.CSP_MODE)


@cache
def fixed_headers(
    kind: str, *, secure: bool, cached: bool, mode: str
) -> tuple[Header, ...]:
    found = {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    if policy := content_security_policy(kind, mode):
        found["content-security-policy"] = policy
    if kind == "api":
        found["vary"] = "Authorization"
    if kind in {"page", "redoc"}:
        found["cross-origin-opener-policy"] = "same-origin"
        found["permissions-policy"] = "camera=(), geolocation=(), microphone=()"
    if secure:
        age = int(settings.HSTS_LIFETIME.total_seconds())
        found["strict-transport-security"] = f"max-age={age}; includeSubDomains"
    if not cached:
        found["cache-control"] = "no-store"
    return tuple((k.encode(), v.encode()) for k, v in found.items())


def content_security_policy(kind: str, mode: str) -> str:
    """Empty where the mode is `disabled`; only pages have a reason to relax."""
    if mode == "disabled":
        return ""
    if kind not in {"page", "redoc"}:
        return build_policy(API_POLICY)
    return build_policy(PAGE_POLICY, update=_additions(kind, mode))


def _additions(kind: str, mode: str) -> dict[str, list[str]]:
    additions = dict(REDOC_ADDITIONS) if kind == "redoc" else {}
    return additions | RELAXED_ADDITIONS if mode == "relaxed" else additions


def cross_origin(origin: str) -> dict[str, str]:
    """For answers of the edge itself; corsheaders does the rest."""
    if origin not in settings.CORS_ALLOWED_ORIGINS:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(settings.CORS_EXPOSE_HEADERS),
        "Vary": "Origin",
    }
