"""A process that would not be safe does not start, and says why without its secrets."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.config.environments import (
    DEVELOPMENT,
    KEY,
    OTHER_KEY,
    PRODUCTION,
    SENTINEL,
    faults_of,
    run,
    settings_of,
)

# Whatever is not one of the four known words counts as production.
UNKNOWN = ["prod", "Production", "DEVELOPMENT", "test", f"{SENTINEL}", "production;"]
KNOWN_TO_REFUSE = ["production", "staging", ""]

WEAK_KEYS = [
    "",
    "   ",
    "x",
    "changeme",
    "secret",
    KEY[:31],
    "0" * 64,
    "abcd" * 16,
    "é" * 32,
    f"changeme-{KEY}",
    f"CHANGE-ME-{KEY}",
    f"Change_Me {KEY}",
    f"django-insecure-{KEY}",
    f"secret-{KEY}",
    f"example-{KEY}",
    "change-me-to-a-random-key-of-your-own",
]
# What is refused in every environment that serves: the change, and the name told.
ALWAYS: list[tuple[dict[str, str], str]] = [
    *(({"SECRET_KEY": key}, "SECRET_KEY") for key in WEAK_KEYS),
    *(
        ({"JWT_SIGNING_KEYS": key}, "JWT_SIGNING_KEYS")
        for key in WEAK_KEYS
        if key.strip()
    ),
    ({"JWT_SIGNING_KEYS": f"{OTHER_KEY},{KEY[:31]}"}, "JWT_SIGNING_KEYS: key 2"),
    ({"JWT_SIGNING_KEYS": f"{OTHER_KEY}, {OTHER_KEY}"}, "JWT_SIGNING_KEYS"),
    ({"JWT_SIGNING_KEYS": KEY}, "JWT_SIGNING_KEYS"),
    ({"JWT_SIGNING_KEYS": f"{OTHER_KEY},{KEY}"}, "JWT_SIGNING_KEYS"),
    ({"BACKEND_CORS_ORIGINS": "*"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "null"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "https://spa.example.org,*"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "https://*.example.com"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "https://spa.example.org/"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "https://spa.example.org/a"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "spa.example.org"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "ftp://spa.example.org"}, "BACKEND_CORS_ORIGINS"),
    ({"BACKEND_CORS_ORIGINS": "https://a@b.example.com"}, "BACKEND_CORS_ORIGINS"),
    ({"PUBLIC_URL": "api.example.com"}, "PUBLIC_URL"),
    ({"ADMIN_PATH": "admin"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "Admin/"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "admin/../"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "(.*)/"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "api/v1/"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "health/"}, "ADMIN_PATH"),
    ({"ADMIN_PATH": "static/"}, "ADMIN_PATH"),
    ({"REFRESH_TOKEN_LIFETIME_DAYS": "31"}, "REFRESH_TOKEN_LIFETIME_DAYS"),
    ({"GEOIP_PATH": "/nowhere/places.mmdb"}, "GEOIP_PATH"),
    ({"GEOIP_PATH": __file__}, "GEOIP_PATH"),
    ({"DATABASE_URL": f"mysql://u:{SENTINEL}@h/d"}, "DATABASE_URL"),
    ({"EMAIL_URL": f"bogus://u:{SENTINEL}@h"}, "EMAIL_URL"),
    ({"DEBUG": SENTINEL}, "DEBUG"),
    ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ({"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
    ({"CSP_MODE": "off"}, "CSP_MODE"),
    ({"PASSWORD_HASHER": "md5"}, "PASSWORD_HASHER"),
    ({"RATE_LIMITS": "login=0"}, "RATE_LIMITS"),
    ({"RATE_LIMITS": "everything=1"}, "RATE_LIMITS"),
]
# What is for development only.
UNSAFE: list[tuple[dict[str, str], str]] = [
    *(({"DEBUG": word}, "DEBUG") for word in ("1", "true", "Yes", "on")),
    *(
        ({"ALLOWED_HOSTS": hosts}, "ALLOWED_HOSTS")
        for hosts in ("*", " * ", "api.example.com,*", "*.example.com", "", ",")
    ),
    ({"FRONTEND_URL": ""}, "FRONTEND_URL"),
    *(
        ({"EMAIL_URL": url}, "EMAIL_URL")
        for url in ("", "consolemail://", "dummymail://", "memorymail://")
    ),
    *(({"RATELIMIT_ENABLE": word}, "RATELIMIT_ENABLE") for word in ("0", "False", "off")),
    ({"DATABASE_URL": ""}, "DATABASE_URL"),
    ({"DATABASE_URL": "sqlite:////tmp/some.sqlite3"}, "DATABASE_URL"),
    ({"DATABASE_URL": "sqlite://:memory:", "ALLOW_SQLITE": "0"}, "DATABASE_URL"),
    ({"WEB_CONCURRENCY": "2"}, "REDIS_URL"),
    ({"WEB_CONCURRENCY": "512"}, "REDIS_URL"),
]
NUMBERS = {
    "WEB_CONCURRENCY": ("0", "513"),
    "WEB_THREADS": ("0", "65"),
    "QUEUE_LENGTH": ("0",),
    "DRAIN_SECONDS": ("-1", "61"),
    "TRUSTED_PROXY_COUNT": ("-1", "17"),
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": ("-1",),
    "DATABASE_CONNECTION_LIFETIME_SECONDS": ("0",),
    "PASSWORD_MINIMUM_LENGTH": ("7", "65"),
    "ARGON2_MEMORY_KIB": ("7",),
    "ARGON2_PASSES": ("0",),
    "ACCESS_TOKEN_LIFETIME_MINUTES": ("0", "1441"),
    "REFRESH_TOKEN_LIFETIME_DAYS": ("0", "366"),
    "SESSION_ABSOLUTE_LIFETIME_DAYS": ("0", "3651"),
    "SESSIONS_PER_USER": ("0", "1001"),
}


def told(environment: dict[str, str], name: str, change: dict[str, str]) -> None:
    """About this name and no other, without any value that was given."""
    faults = faults_of(environment)
    assert all(fault.startswith(name) for fault in faults)
    for value in (*change.values(), KEY, OTHER_KEY, SENTINEL):
        # A short word may be one of those that the line explains.
        assert len(value) < 6 or value not in "".join(faults)


@pytest.mark.parametrize("environment", KNOWN_TO_REFUSE)
@pytest.mark.parametrize(("change", "name"), ALWAYS + UNSAFE)
def test_a_fault_stops_the_process_and_is_named(
    environment: str, change: dict[str, str], name: str
) -> None:
    """Checks 199, 201, 202, 204."""
    told(PRODUCTION | change | {"ENVIRONMENT": environment}, name, change)


@pytest.mark.parametrize(("change", "name"), ALWAYS)
def test_what_can_never_be_right_is_refused_in_development_too(
    change: dict[str, str], name: str
) -> None:
    told(PRODUCTION | change | {"ENVIRONMENT": "development"}, name, change)


@pytest.mark.parametrize(("change", "name"), UNSAFE)
def test_what_is_for_development_is_taken_there(
    change: dict[str, str], name: str
) -> None:
    made = settings_of(PRODUCTION | change | {"ENVIRONMENT": "development"})
    assert made["ENVIRONMENT"] == "development"


@pytest.mark.parametrize("environment", UNKNOWN)
@pytest.mark.parametrize(("change", "name"), UNSAFE[::3])
def test_an_unknown_environment_is_a_fault_and_counts_as_production(
    environment: str, change: dict[str, str], name: str
) -> None:
    lines = faults_of(PRODUCTION | change | {"ENVIRONMENT": environment})
    assert [line.partition(" ")[0] for line in lines] == ["ENVIRONMENT", name]
    assert SENTINEL not in "".join(lines)


def test_a_forgotten_environment_is_production() -> None:
    forgotten = {k: v for k, v in PRODUCTION.items() if k != "ENVIRONMENT"}
    assert settings_of(forgotten)["ENVIRONMENT"] == "production"
    told(forgotten | {"DEBUG": "1"}, "DEBUG", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in NUMBERS.items() for value in (*values, SENTINEL)],
)
@pytest.mark.parametrize("base", [PRODUCTION, DEVELOPMENT | {"POSTGRES_HOST": "db"}])
def test_a_number_out_of_bounds_is_named(
    base: dict[str, str], name: str, value: str
) -> None:
    told(base | {name: value}, name, {name: value})


@pytest.mark.parametrize(
    "name", ["https://api.example.com", "api.example.com/", "api.example.com:8000", "a b"]
)
@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_host_that_could_never_be_asked_for_is_named(
    environment: str, name: str
) -> None:
    """A service that starts so would answer every call with 400."""
    change = {"ENVIRONMENT": environment, "ALLOWED_HOSTS": name}
    told(PRODUCTION | change, "ALLOWED_HOSTS", {})


def test_all_faults_are_told_at_once() -> None:
    one_of_each = {k: v for change, _ in UNSAFE + ALWAYS for k, v in change.items()}
    bad = one_of_each | dict.fromkeys(NUMBERS, SENTINEL)
    bad |= {"SECRET_KEY": f"changeme-{SENTINEL}", "JWT_SIGNING_KEYS": "short"}
    bad |= {"ENVIRONMENT": SENTINEL, "DATABASE_URL": f"sqlite://{SENTINEL}@h/x"}
    del bad["ALLOW_SQLITE"]
    lines = faults_of(PRODUCTION | bad)
    named = {line.partition(" ")[0].rstrip(":") for line in lines}
    # Read only where the database is a PostgreSQL.
    assert named == bad.keys() - {"DATABASE_CONNECTION_LIFETIME_SECONDS"}
    assert SENTINEL not in "".join(lines)


# --- The same at every entry ---------------------------------------------------------

ENTRIES = [
    ("manage.py", "check"),
    ("manage.py", "migrate", "--check"),
    ("manage.py", "serve", "--port", "0"),
    ("-c", "import config.asgi"),
    ("-m", "uvicorn", "config.asgi:application", "--port", "0"),
    ("-m", "gunicorn", "--check-config", "config.asgi:application"),
]
NAMED = (
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DEBUG",
    "WEB_THREADS",
    "DATABASE_URL",
    "EMAIL_URL",
)
UNUSABLE = PRODUCTION | {
    "SECRET_KEY": f"changeme-{SENTINEL}-{KEY}",
    "ALLOWED_HOSTS": "*",
    "DEBUG": "1",
    "WEB_THREADS": SENTINEL,
    "DATABASE_URL": f"mysql://somebody:{SENTINEL}@127.0.0.1/nothing",
    "EMAIL_URL": f"bogus://somebody:{SENTINEL}@127.0.0.1",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=" ".join)
def test_every_entry_refuses_alike(entry: tuple[str, ...]) -> None:
    done = run(*entry, environment=UNUSABLE)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "The settings are not usable:" in output
    for name in NAMED:
        assert f"{name} " in output
    assert SENTINEL not in output
    assert KEY not in output


def test_an_operator_reads_plain_lines() -> None:
    done = run("manage.py", "check", environment=UNUSABLE)
    title, *lines = done.stderr.strip().splitlines()
    assert title == "The settings are not usable:"
    assert {line.partition(" ")[0] for line in lines} == set(NAMED)
    assert done.stdout == ""


@pytest.mark.parametrize("entry", [ENTRIES[0], ENTRIES[3]], ids=" ".join)
def test_a_broken_dotenv_refuses_without_its_lines(
    tmp_path: Path, entry: tuple[str, ...]
) -> None:
    file = tmp_path / "odd.env"
    file.write_text(f"ENVIRONMENT=development\nSECRET_KEY: {SENTINEL}\n{SENTINEL}\n")
    done = run(*entry, environment={"ENV_FILE": str(file)})
    assert done.returncode != 0
    assert "SECRET_KEY is missing." in done.stderr
    assert SENTINEL not in done.stdout + done.stderr


# --- What is right ----------------------------------------------------------------


@pytest.mark.parametrize("environment", ["production", "staging"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"WEB_CONCURRENCY": "4", "REDIS_URL": "redis://127.0.0.1:1/0"},
        {"DATABASE_URL": "", "ALLOW_SQLITE": "true"},
        {"DATABASE_URL": "", "POSTGRES_HOST": "db"},
        {"JWT_SIGNING_KEYS": ""},
        {"PUBLIC_URL": ""},
        {"ADMIN_PATH": ""},
        {"ADMIN_PATH": "/a-room/of-ones-own/"},
        {"BACKEND_CORS_ORIGINS": "https://app.example.com, https://b.example.com:8443"},
    ],
)
def test_what_is_safe_starts(environment: str, change: dict[str, str]) -> None:
    made = settings_of(PRODUCTION | change | {"ENVIRONMENT": environment})
    assert made["ENVIRONMENT"] == environment
    assert made["DEBUG"] is False


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_a_random_key_is_good(make: Callable[[int], str]) -> None:
    assert settings_of(PRODUCTION | {"SECRET_KEY": make(32)})


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_what_is_shipped_passes_djangos_own_checks(environment: str) -> None:
    """Checks 203."""
    command = ("check", "--deploy", "--fail-level", "WARNING")
    chosen = PRODUCTION | {"ENVIRONMENT": environment}
    done = run("manage.py", *command, environment=chosen)
    assert done.returncode == 0, done.stderr
    assert SENTINEL not in done.stdout + done.stderr
