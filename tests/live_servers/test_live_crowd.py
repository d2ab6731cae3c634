"""Many sockets at once, coming and going, and one that does not read."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import httpx
import pytest
import redis

from audit.stream import GROUP
from config.identifiers import new_id
from tests import servers
from tests.live_servers import sockets
from tests.live_servers.calls import Person, me, register, sign_in
from tests.live_servers.sockets import (
    HAS_REDIS,
    OwnRedis,
    Process,
    hang_up,
    opened,
    raw,
    serving,
)

PROBE = ("-m", "uvicorn", "tests.live_servers.probe:application", "--port", "{port}")
PEOPLE = 5
CHURN, AT_ONCE = 300, 50
STORM = 200
EVENTS = 10_000
NAME = "crowd"


@dataclass(frozen=True)
class Crowd:
    at: Process
    database: str
    people: list[Person]
    tokens: list[str]
    store: OwnRedis | None

    @property
    def connections(self) -> int:
        """Of the server to PostgreSQL."""
        sql = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = ?"
        )
        return int(servers.rows(self.database, sql, NAME)[0][0])


@pytest.fixture(scope="module")
def crowd(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crowd]:
    with ExitStack() as stack:
        store = stack.enter_context(sockets.own_redis()) if HAS_REDIS else None
        at = stack.enter_context(
            serving(
                live_database,
                tmp_path_factory.mktemp("logs"),
                redis_url=store.url if store else "",
                command=PROBE,
                SOCKETS_PER_USER="1000",
                PGAPPNAME=NAME,
            )
        )
        people = [register(at.url) for _ in range(PEOPLE)]
        tokens = [sign_in(at.url, each).access for each in people]
        yield Crowd(at, live_database, people, tokens, store)
        assert sockets.errors(at.log) == []


def held(crowd: Crowd) -> tuple[int, int, list[str]]:
    """Files, threads, and the names of threads."""
    names = httpx.get(f"{crowd.at.url}/probe").json()["threads"]
    return sockets.files(crowd.at.pid), sockets.threads(crowd.at.pid), names


async def come_and_go(crowd: Crowd, number: int, *, rough: bool) -> None:
    for _ in range(number // AT_ONCE):
        tokens = crowd.tokens * (AT_ONCE // PEOPLE)
        async with opened(crowd.at.url, *tokens) as clients:
            if rough:
                for client in clients:
                    client.line.transport.abort()
    await asyncio.sleep(0.5)


async def test_three_hundred_that_come_and_go_leave_nothing(crowd: Crowd) -> None:
    await come_and_go(crowd, AT_ONCE * 2, rough=False)
    files, threads, names = await asyncio.to_thread(held, crowd)
    memory = sockets.memory_kib(crowd.at.pid)
    await come_and_go(crowd, CHURN, rough=False)
    await come_and_go(crowd, CHURN // 2, rough=True)
    after = await asyncio.to_thread(held, crowd)
    assert after[0] <= files + 2
    assert after[1] == threads
    assert after[2] == names
    assert sockets.memory_kib(crowd.at.pid) - memory < 8 * 1024
    if crowd.store:
        await sockets.until(lambda: not holds(crowd))
    if not crowd.database.startswith("sqlite"):
        assert crowd.connections <= 4 + 4


def holds(crowd: Crowd) -> list[bytes]:
    assert crowd.store
    with redis.Redis.from_url(crowd.store.url) as client:
        return list(client.scan_iter("holds:*"))


async def test_two_hundred_that_come_at_once_all_get_in(crowd: Crowd) -> None:
    begun = time.monotonic()
    async with opened(crowd.at.url, *crowd.tokens * (STORM // PEOPLE)) as clients:
        took = time.monotonic() - begun
        assert len(clients) == STORM
        assert all(client.closed_at == 0 for client in clients)
        # And nobody else waits for them.
        begun = time.monotonic()
        assert await asyncio.to_thread(me, crowd.at.url, crowd.tokens[0]) == 200
        assert time.monotonic() - begun < 1
        if not crowd.database.startswith("sqlite"):
            assert crowd.connections <= 4 + 4
    assert took < 15, took


def event(person: Person, number: int) -> dict[str, object]:
    return {
        "id": str(new_id()),
        "at": "2026-01-01T00:00:00Z",
        "action": "user.updated",
        "person_id": person.id,
        "organization_id": None,
        "target_id": person.id,
        "data": {"fields": [f"field {number:0100}"]},
    }


@pytest.mark.skipif(not HAS_REDIS, reason="redis-server is not installed")
async def test_who_does_not_read_ten_thousand_events_is_let_go(crowd: Crowd) -> None:
    """Announced on the layer, as any process would; nobody else is disturbed."""
    assert crowd.store
    person, token = crowd.people[0], crowd.tokens[0]
    before = sockets.memory_kib(crowd.at.pid)
    since = crowd.at.log.stat().st_size
    with raw(crowd.at.url, token, buffer=4096) as deaf:
        deaf.told("ready")
        async with opened(crowd.at.url, token) as [reader]:
            layer = sockets.layer(crowd.store.url)
            for start in range(0, EVENTS, 100):
                events = [event(person, start + number) for number in range(100)]
                message = {"type": "live.events", "events": events}
                await layer.group_send(GROUP, message)
                # As fast as it is read, with some to spare.
                await sockets.until(partial(_has_read, reader, start - 100))
            await layer.flush()
            await sockets.until(lambda: len(reader.ids) == EVENTS)
            assert reader.closed_at == 0
            assert reader.ids == sorted(reader.ids, key=UUID)
            grown = sockets.memory_kib(crowd.at.pid) - before
            assert grown < 12 * 1024, grown
            log = crowd.at.log
            end = time.monotonic() + 45
            while not any(e.get("code") == 1008 for e in sockets.lines(log, since)):
                # Unless the kernel took all of it: then the ping finds out.
                if any(
                    e.get("code") in {1005, 1006, 1011} for e in sockets.lines(log, since)
                ):
                    break
                assert time.monotonic() < end
                await asyncio.sleep(0.2)
            await hang_up(reader)
    assert sockets.memory_kib(crowd.at.pid) - before < 12 * 1024


def _has_read(reader: sockets.Client, number: int) -> bool:
    return len(reader.ids) >= number
