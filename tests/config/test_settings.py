"""What the environment turns into."""

import subprocess
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tests.config.environments import (
    DEVELOPMENT,
    KEY,
    PRODUCTION,
    SENTINEL,
    run,
    settings_of,
)

POSTGRES = "postgres://u:p@h:5433/d"


def database(environment: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = settings_of(environment)["DATABASES"]["default"]
    return made


# --- Environments --------------------------------------------------------------------


def test_nothing_configured_is_no_service() -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is missing"):
        settings_of({})


def test_a_key_is_enough_for_development() -> None:
    made = settings_of(DEVELOPMENT)
    assert made["DATABASES"]["default"]["ENGINE"].endswith("sqlite3")
    assert made["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert made["CORS_ALLOWED_ORIGINS"] == []
    assert made["TRUSTED_PROXY_COUNT"] == 0


@pytest.mark.parametrize("environment", ["development", "staging", "production", "build"])
def test_debugging_is_off_unless_asked_for(environment: str) -> None:
    assert settings_of(PRODUCTION | {"ENVIRONMENT": environment})["DEBUG"] is False


@pytest.mark.parametrize(
    ("environment", "secure"),
    [("development", False), ("staging", True), ("production", True)],
)
def test_cookies_are_tied_to_the_host_where_there_is_tls(
    environment: str, secure: bool
) -> None:
    made = settings_of(PRODUCTION | {"ENVIRONMENT": environment})
    for kind in ("SESSION", "CSRF"):
        assert made[f"{kind}_COOKIE_SECURE"] is secure
        assert made[f"{kind}_COOKIE_NAME"].startswith("__Host-") is secure
        assert made[f"{kind}_COOKIE_SAMESITE"] == "Lax"
        assert f"{kind}_COOKIE_DOMAIN" not in made


def test_a_build_has_a_key_of_the_moment_whatever_is_given() -> None:
    keys = [
        settings_of(PRODUCTION | {"ENVIRONMENT": "build"})["SECRET_KEY"] for _ in "12"
    ]
    assert len({*keys, KEY}) == 3


def test_a_build_needs_nothing_at_all() -> None:
    assert settings_of({"ENVIRONMENT": "build"})["ENVIRONMENT"] == "build"


@pytest.mark.parametrize(
    ("environment", "shape"),
    [("development", "console"), ("staging", "json"), ("production", "json")],
)
def test_logs_are_for_people_in_development_and_for_machines_elsewhere(
    environment: str, shape: str
) -> None:
    chosen = PRODUCTION | {"ENVIRONMENT": environment}
    assert settings_of(chosen)["LOGGING"] == {"level": "INFO", "format": shape}
    other = {"LOG_FORMAT": "console" if shape == "json" else "json"}
    assert settings_of(chosen | other)["LOGGING"]["format"] == other["LOG_FORMAT"]


def test_times_are_kept_and_told_in_utc() -> None:
    """Checks 221."""
    made = settings_of(PRODUCTION)
    assert (made["USE_TZ"], made["TIME_ZONE"]) == (True, "UTC")
    assert (settings.USE_TZ, settings.TIME_ZONE) == (True, "UTC")


def test_the_clock_of_the_machine_does_not_matter() -> None:
    script = (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "import datetime; print(timezone.now().utcoffset(), datetime.datetime.now()"
        ".astimezone().utcoffset())"
    )
    done = run("-c", script, environment=PRODUCTION | {"TZ": "Asia/Tokyo"})
    assert done.stdout == "0:00:00 0:00:00\n", done.stderr


# --- Database, cache ----------------------------------------------------------------


@pytest.mark.parametrize("base", [DEVELOPMENT, PRODUCTION])
def test_what_the_url_says_of_the_connection_is_kept(base: dict[str, str]) -> None:
    """Else `sslmode=verify-full` would be asked for, and not be done, in silence."""
    words = "sslmode=verify-full&sslrootcert=/ca.pem&application_name=api"
    options = database(base | {"DATABASE_URL": f"{POSTGRES}?{words}"})["OPTIONS"]
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "/ca.pem")
    assert options["application_name"] == "api"
    assert options["pool"] is False


def test_what_we_need_of_the_connection_is_not_undone_by_the_url() -> None:
    words = "options=-c%20statement_timeout%3D0&pool=true&server_side_binding=false"
    options = database(DEVELOPMENT | {"DATABASE_URL": f"{POSTGRES}?{words}"})["OPTIONS"]
    assert "statement_timeout=15s" in options["options"]
    assert options["pool"] is False
    assert options["server_side_binding"] is True


def test_each_thread_keeps_its_connection_to_postgresql_for_a_time() -> None:
    """Checks 251, 253: so there are no more of them than threads."""
    made = database(DEVELOPMENT | {"DATABASE_URL": POSTGRES})
    assert (made["ENGINE"], made["CONN_MAX_AGE"]) == ("config.postgresql", 3600)
    assert made["CONN_HEALTH_CHECKS"] is True
    for limit in ("statement_timeout=15s", "lock_timeout=3s", "idle_in_transaction"):
        assert limit in made["OPTIONS"]["options"]


def test_a_connection_gets_as_old_as_asked_for() -> None:
    chosen = {"DATABASE_URL": POSTGRES, "DATABASE_CONNECTION_LIFETIME_SECONDS": "60"}
    assert database(DEVELOPMENT | chosen)["CONN_MAX_AGE"] == 60


def test_sqlite_survives_a_crash_and_lets_writers_wait() -> None:
    """Checks 249."""
    made = database(DEVELOPMENT)
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert made["OPTIONS"]["timeout"] >= 5
    assert "journal_mode=WAL" in made["OPTIONS"]["init_command"]
    assert "synchronous=FULL" in made["OPTIONS"]["init_command"]


def test_without_redis_everything_is_in_the_process() -> None:
    made = settings_of(DEVELOPMENT)
    assert made["CACHES"]["default"]["BACKEND"].endswith("LocMemCache")
    assert made["CHANNEL_LAYERS"]["default"]["BACKEND"].endswith("InMemoryChannelLayer")


# --- Tokens, passwords, limits, addresses --------------------------------------------


def test_lifetimes_are_those_of_the_contract_unless_named() -> None:
    made = settings_of(DEVELOPMENT)
    assert made["ACCESS_TOKEN_LIFETIME"] == timedelta(minutes=15)
    assert made["REFRESH_TOKEN_LIFETIME"] == timedelta(days=7)
    assert made["SESSION_ABSOLUTE_LIFETIME"] == timedelta(days=30)
    named = settings_of({**DEVELOPMENT, "ACCESS_TOKEN_LIFETIME_MINUTES": "5"})
    assert named["ACCESS_TOKEN_LIFETIME"] == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("name", "first"),
    [("", "Argon2idHasher"), ("argon2id", "Argon2idHasher"), ("bcrypt", "BcryptHasher")],
)
def test_both_kinds_of_hash_verify_whichever_is_made(name: str, first: str) -> None:
    made = settings_of({**DEVELOPMENT, "PASSWORD_HASHER": name})["PASSWORD_HASHERS"]
    kinds = [path.rpartition(".")[2] for path in made]
    assert kinds[0] == first
    assert {"Argon2idHasher", "BcryptHasher", "PBKDF2PasswordHasher"} <= set(kinds)


def test_a_hash_costs_what_owasp_asks_for() -> None:
    """Checks 18."""
    made = settings_of(PRODUCTION)
    assert made["ARGON2_MEMORY_KIB"] >= 19_456
    assert made["ARGON2_PASSES"] >= 2


def test_limits_are_those_of_the_contract_and_each_can_be_set() -> None:
    limits = settings_of({**DEVELOPMENT, "RATE_LIMITS": "login=20"})["RATE_LIMITS"]
    assert (limits["login"], limits["register"], limits["logout_all"]) == (20, 5, 5)
    assert (limits["refresh"], limits["refresh_session"]) == (600, 30)


@pytest.mark.parametrize(
    ("url", "origins"),
    [
        ("", []),
        ("https://api.example.com", ["https://api.example.com"]),
        ("https://api.example.com/below/", ["https://api.example.com"]),
        ("http://localhost:8000", ["http://localhost:8000"]),
    ],
)
def test_forms_are_trusted_from_the_public_address_only(
    url: str, origins: list[str]
) -> None:
    made = settings_of({**DEVELOPMENT, "PUBLIC_URL": url})
    assert made["CSRF_TRUSTED_ORIGINS"] == origins


@pytest.mark.parametrize(
    "origin", ["https://app.example.com", "https://a.example.com,https://b.example.com:1"]
)
def test_no_origin_may_send_cookies(origin: str) -> None:
    """Checks 177."""
    made = settings_of({**PRODUCTION, "BACKEND_CORS_ORIGINS": origin})
    assert made["CORS_ALLOW_CREDENTIALS"] is False
    assert made["CORS_ALLOWED_ORIGINS"] == origin.split(",")


def test_mail_goes_where_the_url_says() -> None:
    made = settings_of({**PRODUCTION, "EMAIL_URL": "smtp+ssl://u:p@mail.example.com:465"})
    assert made["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (made["EMAIL_HOST"], made["EMAIL_PORT"]) == ("mail.example.com", 465)
    assert made["EMAIL_USE_SSL"] is True


def test_the_query_of_the_mail_url_changes_no_other_setting() -> None:
    url = "smtp://u:p@h:25?debug=true&secret_key=x&allowed_hosts=*"
    made = settings_of({**PRODUCTION, "EMAIL_URL": url})
    assert made["DEBUG"] is False
    assert made["SECRET_KEY"] == KEY
    assert made["ALLOWED_HOSTS"] == ["api.example.com"]


# --- Nothing is told -----------------------------------------------------------------

TOLD_TO_OPERATORS = [("check",), ("showmigrations",), ("migrate",), ("purge_sessions",)]


@pytest.mark.parametrize("command", TOLD_TO_OPERATORS, ids=" ".join)
def test_credentials_of_a_service_that_is_gone_are_not_told(
    command: tuple[str, ...],
) -> None:
    """Checks 208."""
    gone = PRODUCTION | {
        "REDIS_URL": f"redis://:{SENTINEL}@127.0.0.1:1/0",
        "EMAIL_URL": f"smtp://u:{SENTINEL}@127.0.0.1:1",
        "LOG_LEVEL": "DEBUG",
    }
    done: subprocess.CompletedProcess[str] = run("manage.py", *command, environment=gone)
    assert (done.returncode == 0) == (command == ("check",))
    assert SENTINEL not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
