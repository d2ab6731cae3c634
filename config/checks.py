"""Settings that contradict each other or are unsafe: why the process refuses to start.

Called at the end of config/settings.py, so that commands, servers and tests refuse
alike. A message names the variable, never its value.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

MINIMUM_KEY_BYTES = 32
MINIMUM_DISTINCT_CHARACTERS = 5
# Beginnings of keys that stand in documents and examples.
EXAMPLE_KEYS = (
    "changeme",
    "change-me",
    "change_me",
    "django-insecure",
    "secret",
    "example",
)

# What sends nothing and says it did; the first writes secrets to the log besides.
UNDELIVERED = {
    f"django.core.mail.backends.{kind}.EmailBackend"
    for kind in ("console", "dummy", "locmem")
}

# `*` is a name here: whether it is allowed is said elsewhere.
HOST = re.compile(r"\A(\*|[.*]?[a-zA-Z0-9.-]+|\[[0-9a-f:.]+\])\Z")
ORIGIN = re.compile(r"\Ahttps?://[a-z0-9.-]+(:\d{1,5})?\Z")


def faults(settings: Mapping[str, Any]) -> list[str]:
    """Every reason at once, as lines for a person."""
    found = [*_keys(settings), *_contradictions(settings)]
    if settings["ENVIRONMENT"] in {"production", "staging"}:
        found += _unsafe(settings)
    return found


def _keys(settings: Mapping[str, Any]) -> Iterator[str]:
    if weak := _weakness(settings["SECRET_KEY"]):
        yield f"SECRET_KEY {weak}."
    keys = settings["JWT_SIGNING_KEYS"]
    for number, key in enumerate(keys, start=1):
        if weak := _weakness(key):
            yield f"JWT_SIGNING_KEYS: key {number} {weak}."
    if len(set(keys)) != len(keys):
        yield "JWT_SIGNING_KEYS must not name a key twice."
    if settings["SECRET_KEY"] in keys:
        yield "JWT_SIGNING_KEYS must not contain SECRET_KEY."


def _weakness(key: str) -> str:
    if not key:
        return "is missing"
    if len(key.encode()) < MINIMUM_KEY_BYTES:
        return f"must have {MINIMUM_KEY_BYTES} bytes or more"
    if len(set(key)) < MINIMUM_DISTINCT_CHARACTERS:
        return "repeats too few characters"
    if key.lower().startswith(EXAMPLE_KEYS):
        return "is an example, not a secret"
    return ""


def _contradictions(settings: Mapping[str, Any]) -> Iterator[str]:
    if not all(ORIGIN.match(origin) for origin in settings["CORS_ALLOWED_ORIGINS"]):
        yield (
            "BACKEND_CORS_ORIGINS must list exact origins such as"
            " https://app.example.com, without a path and without *."
        )
    if not all(HOST.match(host) for host in settings["ALLOWED_HOSTS"]):
        yield (
            "ALLOWED_HOSTS must list names such as api.example.com, without scheme,"
            " port and path."
        )
    if settings["ADMIN_PATH"] and not re.match(
        r"\A([a-z0-9-]+/)+\Z", settings["ADMIN_PATH"]
    ):
        yield "ADMIN_PATH must be lower-case words, each with a slash behind it."
    if settings["ADMIN_PATH"].startswith(("api/", "docs/", "health/", "static/")):
        yield "ADMIN_PATH is taken by another part of the service."
    if settings["REFRESH_TOKEN_LIFETIME"] > settings["SESSION_ABSOLUTE_LIFETIME"]:
        yield (
            "REFRESH_TOKEN_LIFETIME_DAYS must not be above"
            " SESSION_ABSOLUTE_LIFETIME_DAYS."
        )
    yield from _geoip(settings["GEOIP_PATH"])


def _geoip(path: str) -> Iterator[str]:
    if not path:
        return
    if not find_spec("maxminddb"):
        yield "GEOIP_PATH needs the geoip extra."
        return
    # An extra, so it is imported only where it is asked for.
    reader = import_module("maxminddb")
    try:
        reader.open_database(path).close()
    except (OSError, reader.InvalidDatabaseError):
        yield "GEOIP_PATH must be a MaxMind DB file."


def _unsafe(settings: Mapping[str, Any]) -> Iterator[str]:
    if settings["DEBUG"]:
        yield "DEBUG must not be on outside development."
    if not settings["ALLOWED_HOSTS"] or any(
        "*" in host for host in settings["ALLOWED_HOSTS"]
    ):
        yield "ALLOWED_HOSTS must list the names of the service, without *."
    if not settings["FRONTEND_URL"]:
        yield "FRONTEND_URL is missing: links in mails lead there."
    if settings["EMAIL_BACKEND"] in UNDELIVERED:
        yield "EMAIL_URL is missing: mails, and the links in them, would be printed."
    if not settings["RATELIMIT_ENABLE"]:
        yield "RATELIMIT_ENABLE must not be off outside development."
    yield from _one_process_only(settings)


def _one_process_only(settings: Mapping[str, Any]) -> Iterator[str]:
    engine = settings["DATABASES"]["default"]["ENGINE"]
    if engine.endswith("sqlite3") and not settings["ALLOW_SQLITE"]:
        yield "DATABASE_URL is missing (or set ALLOW_SQLITE to serve from one machine)."
    if settings["WEB_CONCURRENCY"] > 1 and not settings["REDIS_URL"]:
        yield (
            "REDIS_URL is missing: with WEB_CONCURRENCY above 1, cache and channel"
            " layer must be shared."
        )
