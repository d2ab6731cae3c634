"""The two that are compared: how each is started, filled, and read."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import options, people

# Every limit that a scenario meets: counted on each call, never reached.
RATE_LIMITS = ",".join(
    f"{name}=1000000000" for name in ("login", "refresh", "refresh_session", "sessions")
)
# What both are told, whatever the shell or a `.env` says.
SHARED = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ENV_FILE": os.devnull,
    "LOG_LEVEL": "WARNING",
}
# As behind one proxy that ends TLS; sent to both sides.
HEADERS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}


@dataclass(frozen=True)
class Side:
    """`serve`, `migrate` and `seed` are what Python is given; {port} and {workers} are
    replaced. `access` and `refresh` are the names of the tokens in answers.
    """

    name: str
    title: str
    settings: str
    serve: str
    migrate: str
    seed: str
    access: str
    refresh: str
    sessions_in: Callable[[Any], list[Any]]
    users_in: Callable[[Any], list[Any]]
    more: dict[str, str] = field(default_factory=dict)
    # Each reads their list once: signing in for it adds a session, on our side.
    listers: Iterator[int] = field(default_factory=lambda: iter(range(people.LISTERS)))

    @property
    def database_url(self) -> str:
        return options.database_url(self.name)

    @property
    def redis_url(self) -> str:
        return options.redis_url(self.name)

    def environment(self, **more: str) -> dict[str, str]:
        """Of the shell only what finds programs and libraries."""
        kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "DJANGO_SETTINGS_MODULE": self.settings,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            **SHARED,
            **self.more,
            **more,
        }


OURS = Side(
    name="ours",
    title="this project",
    settings="config.settings",
    serve="manage.py serve --port {port}",
    migrate="manage.py migrate --no-input --verbosity 0",
    seed="-m benchmarks.seed",
    access="access_token",
    refresh="refresh_token",
    sessions_in=lambda answer: list(answer["sessions"]),
    users_in=lambda answer: list(answer["data"]),
    more={
        "ENVIRONMENT": "production",
        "ALLOWED_HOSTS": "127.0.0.1",
        "FRONTEND_URL": "https://app.example.com",
        # What a sign-in may have to tell stays in the outbox: nobody delivers here.
        "EMAIL_URL": "smtp://127.0.0.1:9",
        "MAIL_DELIVERY": "worker",
        "TRUSTED_PROXY_COUNT": "1",
        "RATE_LIMITS": RATE_LIMITS,
    },
)
STOCK = Side(
    name="stock",
    title="stock DRF + SimpleJWT",
    settings="benchmarks.baseline.settings",
    serve=(
        "-m uvicorn benchmarks.baseline.asgi:application --port {port}"
        " --workers {workers} --loop uvloop --http httptools"
        " --no-access-log --log-level warning"
    ),
    migrate="-m django migrate --no-input --verbosity 0",
    seed="-m benchmarks.baseline.seed",
    access="access",
    refresh="refresh",
    sessions_in=list,
    users_in=lambda answer: list(answer["results"]),
)
SIDES = (OURS, STOCK)
