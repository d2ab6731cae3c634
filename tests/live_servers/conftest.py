import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.live_servers.calls import Pair, Person, ask, register, sign_in

COMMANDS = {
    "serve": servers.SERVE,
    "gunicorn": servers.GUNICORN,
    "uvicorn": servers.UVICORN,
}
# Limits that tests of other things do not meet, and one to be tested by itself.
LOOSE_LIMITS = {"RATE_LIMITS": "register=1000,login=1000,refresh=5"}
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
    # PostgreSQL shows under that name which connections are theirs.
    settings = servers.environment(
        live_database, LOG_FORMAT="json", PGAPPNAME="both", **CHEAP_HASHING, **NO_LIMITS
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
    assert b'"level": "error"' not in both.log.read_bytes()[before:]


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


@dataclass(frozen=True)
class Launched:
    """A server as one of the commands starts it, with limits and real hashing."""

    name: str
    url: str
    process: "subprocess.Popen[bytes]"
    database: str
    log: Path

    @property
    def is_ours(self) -> bool:
        """Plain uvicorn knows nothing of config/workers.py."""
        return self.name != "uvicorn"

    @property
    def memory_kib(self) -> int:
        """Of the process and its children."""
        return sum(
            running.memory_kib
            for running in servers.processes().values()
            if self.process.pid in {running.pid, running.parent}
        )


@pytest.fixture(scope="session")
def every_launched(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Launched]]:
    logs = tmp_path_factory.mktemp("logs")
    settings = servers.environment(live_database, LOG_FORMAT="json", **LOOSE_LIMITS)
    with ExitStack() as stack:
        found = {}
        for name, command in COMMANDS.items():
            log = logs / f"{name}.log"
            running = servers.running(settings, log=log, command=command)
            process, url = stack.enter_context(running)
            found[name] = Launched(name, url, process, live_database, log)
        yield found


@pytest.fixture(params=COMMANDS)
def launched(
    request: pytest.FixtureRequest, every_launched: dict[str, Launched]
) -> Iterator[Launched]:
    """Whatever a test does to it, it is alive behind it and has logged no error."""
    server = every_launched[request.param]
    # As `fresh_counters` does in Redis.
    servers.rows(server.database, "DELETE FROM limits_counter")
    before = server.log.stat().st_size
    yield server
    assert ask(server.url, "GET", "/users/me").status == 401
    assert b'"level": "error"' not in server.log.read_bytes()[before:]
