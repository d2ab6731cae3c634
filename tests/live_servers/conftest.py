from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.live_servers.calls import Pair, Person, register, sign_in

# Hashing has tests of its own; here it would only hold the others up.
CHEAP_HASHING = {"ARGON2_MEMORY_KIB": "8", "ARGON2_PASSES": "1"}
NO_LIMITS = {"RATELIMIT_ENABLE": "false"}


@dataclass(frozen=True)
class Service:
    """Servers `a` and `b` on one database."""

    database: str
    a: str
    b: str
    log: Path

    @property
    def servers(self) -> tuple[str, str]:
        return self.a, self.b

    def sql(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return servers.rows(self.database, sql, *values)

    def number(self, sql: str, *values: Any) -> int:
        return int(self.sql(sql, *values)[0][0])

    @property
    def deadlocks(self) -> int:
        """So far; SQLite, with its one writer, has none."""
        if self.database.startswith("sqlite"):
            return 0
        return self.number(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )

    def make_superuser(self, person: Person) -> None:
        self.sql(
            "UPDATE accounts_user SET is_superuser = true WHERE email = ?", person.email
        )


@pytest.fixture(scope="session")
def live_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.database(tmp_path_factory.mktemp("live")) as url:
        yield url


@pytest.fixture(scope="session")
def both(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("logs") / "servers.log"
    settings = servers.environment(
        live_database, LOG_FORMAT="json", **CHEAP_HASHING, **NO_LIMITS
    )
    with ExitStack() as stack:
        a, b = (stack.enter_context(servers.server(settings, log=log)) for _ in range(2))
        yield Service(live_database, a, b, log)


@pytest.fixture
def service(both: Service) -> Iterator[Service]:
    """Two servers without limits. Whatever a test does to them, neither logs an error
    and nothing deadlocks.
    """
    before = both.log.stat().st_size
    yield both
    assert both.deadlocks == 0
    with both.log.open("rb") as log:
        log.seek(before)
        assert b'"level": "error"' not in log.read()


@pytest.fixture
def person(service: Service) -> Person:
    return register(service.a)


@pytest.fixture
def device(service: Service, person: Person) -> Pair:
    return sign_in(service.a, person)


@pytest.fixture
def root(service: Service) -> Person:
    """A superuser, the only one."""
    service.sql("UPDATE accounts_user SET is_superuser = false")
    superuser = register(service.a)
    service.make_superuser(superuser)
    return superuser
