"""A process that should not serve does not start, and says why without its secrets."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config import checks
from config.env import Environment

ROOT = Path(__file__).resolve().parents[2]
KEY = "kq8Zr2mW5xT9vB4nL7cJ1hG6fD3sA0pYuEiRoQ-kq8Zr2mW5xT9vB4nL7"
OTHER = "Yx7Lq3mW5xT9vB4nL7cJ1hG6fD3sA0pYuEiRoZ"
SENTINEL = "Sentinel-4711-Secret"

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": KEY,
    "JWT_SIGNING_KEYS": OTHER,
    "ALLOWED_HOSTS": "api.example.com",
    "FRONTEND_URL": "https://app.example.com",
    "PUBLIC_URL": "https://api.example.com",
    "EMAIL_URL": "smtp+tls://mail.example.com:587",
    "DATABASE_URL": "postgres://user:password@127.0.0.1:1/none",
}


def manage(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean | {"ENV_FILE": os.devnull} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_shipped_passes_djangos_own_checks() -> None:
    done = manage(
        "manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "entry",
    [
        ("manage.py", "check"),
        ("manage.py", "serve"),
        ("-c", "import config.asgi"),
        ("-m", "uvicorn", "config.asgi:application", "--port", "0"),
    ],
)
@pytest.mark.parametrize("name", ["production", "staging", "nonsense", ""])
def test_every_entry_refuses_and_lists_all_faults(
    entry: tuple[str, ...], name: str
) -> None:
    bad = {"SECRET_KEY": f"changeme-{SENTINEL}-changeme", "ALLOWED_HOSTS": "*"}
    bad |= {"DEBUG": "1", "RATELIMIT_ENABLE": "0", "WEB_THREADS": SENTINEL}
    bad |= {"BACKEND_CORS_ORIGINS": "*", "EMAIL_URL": f"bogus://u:{SENTINEL}@h"}
    bad |= {"DATABASE_URL": f"mysql://u:{SENTINEL}@h/d", "FRONTEND_URL": "ftp://x"}
    done = manage(*entry, **bad, ENVIRONMENT=name)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    for variable in bad:
        assert variable in output
    assert SENTINEL not in output


def test_building_needs_no_secret_and_serves_nothing() -> None:
    check = manage("manage.py", "check", ENVIRONMENT="build")
    assert check.returncode == 0, check.stderr
    for entry in (("manage.py", "serve"), ("-c", "import config.asgi")):
        done = manage(*entry, ENVIRONMENT="build")
        assert done.returncode != 0
        assert "for building" in done.stderr


def settings(**changes: Any) -> dict[str, Any]:
    """Production settings without a fault, but for the changes."""
    good: dict[str, Any] = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": KEY,
        "JWT_SIGNING_KEYS": [OTHER],
        "CORS_ALLOWED_ORIGINS": ["https://app.example.com"],
        "ADMIN_PATH": "admin/",
        "GEOIP_PATH": "",
        "DEBUG": False,
        "ALLOWED_HOSTS": ["api.example.com"],
        "FRONTEND_URL": "https://app.example.com",
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "RATELIMIT_ENABLE": True,
        "ALLOW_SQLITE": False,
        "WEB_CONCURRENCY": 1,
        "REDIS_URL": "",
        "REFRESH_TOKEN_LIFETIME": 1,
        "SESSION_ABSOLUTE_LIFETIME": 2,
        "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}},
    }
    return good | changes


SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
EVERYWHERE = [
    ({"SECRET_KEY": ""}, "SECRET_KEY is missing"),
    ({"SECRET_KEY": KEY[:31]}, "SECRET_KEY must have 32 bytes"),
    ({"SECRET_KEY": "abcd" * 10}, "SECRET_KEY repeats"),
    ({"SECRET_KEY": "django-insecure-" + KEY}, "SECRET_KEY is an example"),
    ({"SECRET_KEY": "ChangeMe" + KEY}, "SECRET_KEY is an example"),
    ({"JWT_SIGNING_KEYS": [OTHER, "short"]}, "JWT_SIGNING_KEYS: key 2"),
    ({"JWT_SIGNING_KEYS": [OTHER, OTHER]}, "JWT_SIGNING_KEYS must not name a key twice"),
    ({"JWT_SIGNING_KEYS": [KEY]}, "JWT_SIGNING_KEYS must not contain SECRET_KEY"),
    ({"CORS_ALLOWED_ORIGINS": ["*"]}, "BACKEND_CORS_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": ["https://a.example.com/"]}, "BACKEND_CORS_ORIGINS"),
    ({"CORS_ALLOWED_ORIGINS": ["app.example.com"]}, "BACKEND_CORS_ORIGINS"),
    ({"ADMIN_PATH": "Admin"}, "ADMIN_PATH must be"),
    ({"ADMIN_PATH": "admin"}, "ADMIN_PATH must be"),
    ({"ADMIN_PATH": "api/v1/"}, "ADMIN_PATH is taken"),
    ({"REFRESH_TOKEN_LIFETIME": 3}, "REFRESH_TOKEN_LIFETIME_DAYS"),
    ({"GEOIP_PATH": "/nowhere"}, "GEOIP_PATH must be"),
    ({"GEOIP_PATH": __file__}, "GEOIP_PATH must be"),
]
CONSOLE_MAIL = "django.core.mail.backends.console.EmailBackend"
OUTSIDE_DEVELOPMENT = [
    ({"DEBUG": True}, "DEBUG"),
    ({"ALLOWED_HOSTS": []}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": ["*.example.com"]}, "ALLOWED_HOSTS"),
    ({"FRONTEND_URL": ""}, "FRONTEND_URL"),
    ({"EMAIL_BACKEND": CONSOLE_MAIL}, "EMAIL_URL"),
    ({"RATELIMIT_ENABLE": False}, "RATELIMIT_ENABLE"),
    ({"DATABASES": SQLITE}, "DATABASE_URL"),
    ({"WEB_CONCURRENCY": 2}, "REDIS_URL"),
]


def test_good_settings_have_no_fault() -> None:
    assert checks.faults(settings()) == []
    assert checks.faults(settings(DATABASES=SQLITE, ALLOW_SQLITE=True)) == []
    assert checks.faults(settings(WEB_CONCURRENCY=2, REDIS_URL="redis://x")) == []
    assert checks.faults(settings(ADMIN_PATH="")) == []


@pytest.mark.parametrize("environment", ["production", "staging", "development"])
@pytest.mark.parametrize(("change", "words"), EVERYWHERE)
def test_a_fault_is_a_fault_everywhere(
    environment: str, change: dict[str, Any], words: str
) -> None:
    found = checks.faults(settings(ENVIRONMENT=environment, **change))
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize("environment", ["production", "staging", "development"])
@pytest.mark.parametrize(("change", "words"), OUTSIDE_DEVELOPMENT)
def test_what_is_unsafe_is_for_development_only(
    environment: str, change: dict[str, Any], words: str
) -> None:
    found = checks.faults(settings(ENVIRONMENT=environment, **change))
    assert [words in fault for fault in found] == (
        [] if environment == "development" else [True]
    )


# --- Reading the environment -------------------------------------------------------


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "none")


def test_a_file_fills_up_and_never_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN_HERE", "environment")
    monkeypatch.delenv("GIVEN_THERE", raising=False)
    monkeypatch.setenv("GIVEN_THERE", "")
    monkeypatch.delenv("GIVEN_THERE")
    file = tmp_path / ".env"
    file.write_text("GIVEN_HERE=file\nGIVEN_THERE=file\n")
    env = Environment(file)
    assert (env.text("GIVEN_HERE"), env.text("GIVEN_THERE")) == ("environment", "file")
    os.environ.pop("GIVEN_THERE")


@pytest.mark.parametrize(
    ("value", "number", "faults"),
    [("", 7, 0), ("5", 5, 0), ("0", 7, 1), ("11", 7, 1), ("x", 7, 1), ("1.5", 7, 1)],
)
def test_numbers_have_bounds(
    env: Environment,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    number: int,
    faults: int,
) -> None:
    monkeypatch.setenv("NUMBER", value)
    assert env.number("NUMBER", 7, minimum=1, maximum=10) == number
    assert len(env.faults) == faults


@pytest.mark.parametrize(
    ("value", "flag", "faults"),
    [("", True, 0), ("0", False, 0), ("No", False, 0), ("TRUE", True, 0), ("x", True, 1)],
)
def test_flags_are_words(
    env: Environment, monkeypatch: pytest.MonkeyPatch, value: str, flag: bool, faults: int
) -> None:
    monkeypatch.setenv("FLAG", value)
    assert env.flag("FLAG", default=True) == flag
    assert len(env.faults) == faults


def test_lists_limits_and_databases_are_read(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMES", " a, b ,,c ")
    assert env.listing("NAMES") == ["a", "b", "c"]
    assert env.listing("NONE", ("x",)) == ["x"]
    monkeypatch.setenv("LIMITS", "login = 20")
    assert env.numbers("LIMITS", {"login": 10, "x": 1}) == {"login": 20, "x": 1}
    for bad in ("login", "login=x", "other=5", "login=0", ","):
        monkeypatch.setenv("LIMITS", bad)
        assert env.numbers("LIMITS", {"login": 10}) == {"login": 10}
    assert len(env.faults) == 5
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name, value in {"HOST": "db", "PASSWORD": "p@ss:/word", "DB": ""}.items():
        monkeypatch.setenv(f"POSTGRES_{name}", value)
    found = env.database("DATABASE_URL", "sqlite:///x")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db", 5432, "postgres")
    assert found["PASSWORD"] == "p@ss:/word"


@pytest.mark.parametrize("url", ["postgres://h", "mysql://h/d", "x"])
def test_a_bad_database_is_named_and_not_quoted(
    env: Environment, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{url}?{SENTINEL}" if url == "x" else url)
    env.database("DATABASE_URL", "sqlite:///x")
    assert env.faults == ["DATABASE_URL must be a postgres:// or sqlite:// URL."]
