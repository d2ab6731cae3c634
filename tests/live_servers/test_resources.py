"""What a process holds: threads, connections, frozen memory; and what it never blocks."""

import gc
import re
import select
from collections.abc import Iterator

import httpx
import pytest

from tests import servers
from tests.live_servers.calls import (
    Call,
    Pair,
    answer_on,
    ask,
    at_once,
    credentials,
    register,
    sent,
)
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS, Launched, Service

PROBE = ("-m", "uvicorn", "tests.live_servers.probe:application", "--port", "{port}")
LOGINS = 30
# Threads of a server, those of streams, health and mail, and two servers.
MOST_CONNECTIONS = 2 * (4 + 4)
# Everything that may run.
THREADS = re.compile(
    r"MainThread|django_[0-3]|stream_[01]|hash_[01]|health_0|outbox|announcing_0"
)


def burst(server: str, device: Pair, size: int = 100) -> list[Call]:
    """Reads, writes and refusals."""
    kinds = [
        Call(server, "GET", "/users/me", token=device.access),
        Call(server, "PATCH", "/users/me", {"last_name": "Lovelace"}, device.access),
        Call(server, "GET", "/sessions/me", token=device.access),
        Call(server, "POST", "/auth/refresh", {"refresh_token": "x.y.z"}),
        Call(server, "GET", "/users", token=device.access),
    ]
    return kinds * (size // len(kinds))


@pytest.fixture(scope="module")
def probed(live_database: str) -> Iterator[str]:
    settings = servers.environment(live_database, **CHEAP_HASHING, **NO_LIMITS)
    with servers.running(settings, command=PROBE) as (_, url):
        yield url


def test_what_is_loaded_at_the_start_is_frozen_and_thresholds_are_pythons(
    probed: str,
) -> None:
    seen = httpx.get(f"{probed}/probe").json()
    assert seen["frozen"] > 100_000
    assert tuple(seen["thresholds"]) == gc.get_threshold()


def test_a_process_keeps_one_set_of_threads(probed: str) -> None:
    login = Call(probed, "POST", "/auth/login", credentials(register(probed).email))
    device = Pair.of(at_once([login])[0])
    seen = []
    for _ in range(3):
        at_once(burst(probed, device))
        assert ask(probed, "GET", "/health/ready").status == 200
        seen.append(httpx.get(f"{probed}/probe").json()["threads"])
    assert seen[0] == seen[1] == seen[2]
    assert all(THREADS.fullmatch(name) for name in seen[0]), seen[0]
    assert [name for name in seen[0] if name.startswith("django")] == [
        f"django_{number}" for number in range(4)
    ]


def test_connections_are_bounded_and_none_is_left_in_a_transaction(
    service: Service, device: Pair
) -> None:
    """Checks 251, after 1000 requests."""
    for _ in range(5):
        answers = at_once(
            [*burst(service.a, device), *burst(service.b, device)],
        )
        assert {answer.status for answer in answers} == {200, 401, 403}
    assert connections(service) <= MOST_CONNECTIONS
    assert left_in_a_transaction(service) == 0


def connections(service: Service) -> int:
    """SQLite knows none but one's own."""
    if service.database.startswith("sqlite"):
        return 0
    return service.number(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'both'"
    )


def left_in_a_transaction(service: Service) -> int:
    if service.database.startswith("sqlite"):
        # Busy is 1 where a reader or writer is in the way.
        [(busy, _, _)] = service.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(busy)
    return service.number(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'both' AND state LIKE 'idle in transaction%%'"
    )


def test_others_are_answered_while_thirty_logins_hash(launched: Launched) -> None:
    person = register(launched.url)
    login = Call(launched.url, "POST", "/auth/login", credentials(person.email))
    with sent([login] * LOGINS) as lines:
        assert ask(launched.url, "GET", "/health/live").status == 200
        assert ask(launched.url, "GET", "/health/ready").status == 200
        assert ask(launched.url, "GET", "/users/me").status == 401
        answered, _, _ = select.select([line.sock for line in lines], [], [], 0)
        answers = [answer_on(line) for line in lines]
    # Nobody waited for these, most of which were still being worked on.
    assert len(answered) < LOGINS
    # A login that waits too long on a busy machine is told when to come again.
    late = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in late} <= {503}
    assert all("retry-after" in answer.headers for answer in late)
    assert len(late) < LOGINS
