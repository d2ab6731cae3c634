"""S7: the channel layer is lost while people come, go and are shut out."""

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from audit.stream import GROUP
from tests.live_servers import sockets
from tests.live_servers.calls import Pair, ask, me, register, sign_in
from tests.live_servers.sockets import (
    HAS_REDIS,
    Client,
    OwnRedis,
    Process,
    opened,
    serving,
)

pytestmark = pytest.mark.skipif(not HAS_REDIS, reason="redis-server is not installed")
ADDED_SECONDS = 0.2
BACK_SECONDS = 5.0
LOOK_SECONDS = 30.0


@dataclass(frozen=True)
class Stage:
    store: OwnRedis
    at: Process
    other: Process


@pytest.fixture
def stage(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        store = stack.enter_context(sockets.own_redis())
        first, second = (
            stack.enter_context(
                serving(
                    live_database,
                    folder,
                    redis_url=store.url,
                    RATELIMIT_ENABLE="true",
                    RATE_LIMITS="register=10000,login=10000,update_user=10000,"
                    "end_session=10000,profile=10000,live=10000,logout=10000",
                )
            )
            for _ in range(2)
        )
        yield Stage(store, first, second)
        for each in (first, second):
            assert sockets.errors(each.log) == []


def rename(url: str, token: str, name: str) -> float:
    """How long it took."""
    begun = time.monotonic()
    answer = ask(url, "PATCH", "/users/me", {"last_name": name}, token=token)
    assert answer.status == 200, answer.body
    return time.monotonic() - begun


async def heard_again(
    at: Process, device: Pair, client: Client, seconds: float = 25
) -> float:
    """How long until an event comes, tried again and again. Raises TimeoutError."""
    begun = time.monotonic()
    before = len([f for f in client.frames if f["type"] == "user.updated"])
    while len([f for f in client.frames if f["type"] == "user.updated"]) == before:
        if time.monotonic() - begun > seconds:
            raise TimeoutError
        await asyncio.to_thread(rename, at.url, device.access, sockets.secret())
        await asyncio.sleep(0.1)
    return time.monotonic() - begun


async def calm(at: Process, device: Pair) -> float:
    return statistics.median(
        [
            await asyncio.to_thread(rename, at.url, device.access, f"N{number}")
            for number in range(15)
        ]
    )


@pytest.mark.parametrize("way", ["killed", "silent"])
async def test_an_outage_of_redis(stage: Stage, way: str) -> None:
    at, other = stage.at, stage.other
    person = await asyncio.to_thread(register, at.url)
    device, ending = sign_in(at.url, person), sign_in(at.url, person)
    usual = await calm(at, device)
    async with AsyncExitStack() as stack:
        [here] = await stack.enter_async_context(opened(at.url, device.access))
        there, doomed = await stack.enter_async_context(
            opened(other.url, device.access, ending.access)
        )
        assert await heard_again(at, device, there) < 1
        memory = [sockets.memory_kib(each.pid) for each in (at, other)]
        (stage.store.kill if way == "killed" else stage.store.freeze)()
        begun = time.monotonic()
        # The session ends at once over REST, on both.
        took = time.monotonic()
        answer = await asyncio.to_thread(
            ask, at.url, "POST", "/auth/logout", {}, token=ending.access
        )
        assert answer.status == 200
        assert time.monotonic() - took < 1.5
        assert me(at.url, ending.access) == me(other.url, ending.access) == 401
        held_up = [
            await asyncio.to_thread(rename, at.url, device.access, f"M{number}")
            for number in range(60)
        ]
        median = statistics.median(held_up)
        assert median - usual <= ADDED_SECONDS
        # New sockets open meanwhile, as quickly as anything.
        took = time.monotonic()
        for url in (at.url, other.url):
            await stack.enter_async_context(opened(url, device.access))
        opening = time.monotonic() - took
        assert opening < 4
        looked = 0.0
        if way == "killed":
            assert await doomed.ended(LOOK_SECONDS) == 4401
            looked = doomed.closed_at - begun
        else:
            await asyncio.sleep(9 - (time.monotonic() - begun))
        assert here.closed_at == there.closed_at == 0
        # Nothing piles up.
        grown = [
            sockets.memory_kib(each.pid) - before
            for each, before in zip((at, other), memory, strict=True)
        ]
        assert max(grown) < 20 * 1024
        (stage.store.start if way == "killed" else stage.store.thaw)()
        back = time.monotonic()
        resumed = await heard_again(at, device, there)
        await there.told("error", 10, code="resume_gap")
        await here.told("error", 10, code="resume_gap")
        gap = time.monotonic() - back
        if way == "silent":
            assert await doomed.ended(15) == 4401
            looked = doomed.closed_at - begun
        assert looked <= LOOK_SECONDS
        assert gap <= 2 * BACK_SECONDS
        assert resumed <= BACK_SECONDS
        for each in (at, other):
            loud = [e for e in sockets.lines(each.log) if e["level"] != "info"]
            assert len(loud) <= 12, [e["event"] for e in loud]


DEVICES = 100


async def test_a_hundred_sessions_revoked_without_redis_lose_their_sockets(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At once over REST, on every process; their sockets by the look at the database."""
    folder = tmp_path_factory.mktemp("logs")
    many = {"SESSIONS_PER_USER": "200", "SOCKETS_PER_USER": "200"}
    with sockets.own_redis() as store, ExitStack() as stack:
        at, other = (
            stack.enter_context(
                serving(live_database, folder, redis_url=store.url, **many)
            )
            for _ in range(2)
        )
        person = register(at.url)
        keeping, *ending = [sign_in(at.url, person).access for _ in range(DEVICES + 1)]
        async with opened(other.url, keeping, *ending) as [kept, *doomed]:
            store.kill()
            begun = time.monotonic()
            answer = await asyncio.to_thread(
                ask, at.url, "DELETE", "/sessions/me/others", token=keeping
            )
            assert answer.status == 200
            assert {me(other.url, token) for token in ending} == {401}
            codes = await asyncio.gather(*(each.ended(LOOK_SECONDS) for each in doomed))
            assert set(codes) == {4401}
            assert max(each.closed_at for each in doomed) - begun <= LOOK_SECONDS
            assert kept.closed_at == 0


async def test_a_server_started_without_redis_hears_once_it_comes(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with sockets.own_redis() as store:
        store.kill()
        with serving(live_database, folder, redis_url=store.url) as at:
            device = sign_in(at.url, register(at.url))
            async with opened(at.url, device.access) as [client]:
                await asyncio.sleep(6)
                store.start()
                assert await heard_again(at, device, client) <= BACK_SECONDS
                before = len(client.ids)
                await asyncio.to_thread(rename, at.url, device.access, "Once")
                await sockets.until(lambda: len(client.ids) > before)
                await asyncio.sleep(0.3)
                # It listens once, however often it tried.
                assert len(client.ids) == len(set(client.ids))
            assert sockets.errors(at.log) == []


# --- A line that is dead, and nobody says so -------------------------------------------


class Wall:
    """Between server and Redis: what goes through it can be made to vanish, without a
    word to either end, as where a machine loses its power or a firewall its memory.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.door = socket.create_server(("127.0.0.1", 0))
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.dead: set[socket.socket] = set()
        self.open = True
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.door.getsockname()[1]}/0"

    def serve(self) -> None:
        while self.open:
            with suppress(OSError):
                near, _ = self.door.accept()
                if not self.open:
                    near.close()
                    return
                far = socket.create_connection(("127.0.0.1", self.port))
                self.pairs.append((near, far))
                for one, two in ((near, far), (far, near)):
                    threading.Thread(
                        target=self.carry, args=(one, two), daemon=True
                    ).start()

    def carry(self, one: socket.socket, two: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if one not in self.dead:
                    two.sendall(data)
            if one not in self.dead:
                two.shutdown(socket.SHUT_WR)

    def forget(self) -> None:
        """Every line there is; new ones go through."""
        self.dead |= {line for pair in self.pairs for line in pair}

    def close(self) -> None:
        self.open = False
        with suppress(OSError):
            socket.create_connection(self.door.getsockname()).close()
        self.door.close()
        for line in [line for pair in self.pairs for line in pair]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


@asynccontextmanager
async def walled(
    live_database: str, folder: pytest.TempPathFactory
) -> AsyncIterator[tuple[OwnRedis, Wall, Process]]:
    with sockets.own_redis() as store:
        wall = Wall(store.port)
        try:
            with serving(live_database, folder.mktemp("logs"), redis_url=wall.url) as at:
                yield store, wall, at
        finally:
            wall.close()


async def test_a_dead_line_to_redis_is_given_up(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with walled(live_database, tmp_path_factory) as (_, wall, at):
        device = sign_in(at.url, register(at.url))
        async with opened(at.url, device.access) as [client]:
            await heard_again(at, device, client)
            await asyncio.to_thread(wall.forget)
            # A beat to miss, one to be sure, and the new line.
            await heard_again(at, device, client, 25)


# --- What else may be said on the layer ------------------------------------------------


async def announce(url: str, message: dict[str, object]) -> None:
    layer = sockets.layer(url)
    await layer.group_send(GROUP, message)
    await layer.flush()


async def test_another_deployment_on_the_same_redis_is_not_heard(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with sockets.own_redis() as store:
        elsewhere = urlsplit(store.url)._replace(path="/1").geturl()
        with serving(live_database, folder, redis_url=store.url) as at:
            token = sign_in(at.url, register(at.url)).access
            async with opened(at.url, token) as [client]:
                await announce(elsewhere, everybody_out())
                await asyncio.sleep(0.5)
                assert client.closed_at == 0


def everybody_out() -> dict[str, object]:
    event: dict[str, object] = dict.fromkeys(
        ["person_id", "organization_id", "target_id"]
    )
    event |= {"id": "0", "at": "", "action": "sessions.all_ended", "data": {}}
    return {"type": "live.events", "events": [event]}


async def test_one_strange_message_makes_nobody_deaf(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with (
        sockets.own_redis() as store,
        serving(live_database, folder, redis_url=store.url) as at,
    ):
        device = sign_in(at.url, register(at.url))
        async with opened(at.url, device.access) as [client]:
            strange: list[Any] = [[{}], [{"action": "session.ended"}], 7]
            for events in strange:
                await announce(store.url, {"type": "live.events", "events": events})
            await heard_again(at, device, client, 7)
