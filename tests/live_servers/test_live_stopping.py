"""S13 for sockets: told to stop, a server says goodbye in time, and nobody misses an
event who comes back to another process.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from tests import servers
from tests.live_servers import sockets
from tests.live_servers.calls import ask, register, sign_in
from tests.live_servers.sockets import (
    HAS_REDIS,
    PING,
    TEXT,
    OwnRedis,
    dial,
    frame,
    hang_up,
    opened,
    raw,
    serving,
    text,
)

SOCKETS = 50
PEOPLE = 5
STOP_SECONDS = 20
CLEAN = {0, -signal.SIGTERM}
COMMANDS = [servers.SERVE, servers.GUNICORN, servers.UVICORN]


@pytest.fixture(scope="module")
def store() -> Iterator[OwnRedis]:
    if not HAS_REDIS:
        pytest.skip("redis-server is not installed")
    with sockets.own_redis() as found:
        yield found


def stopped(process: "subprocess.Popen[bytes]") -> float:
    """How long it took."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_SECONDS) in CLEAN
    return time.monotonic() - begun


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[1])
async def test_fifty_sockets_are_told_1012_when_the_server_stops(
    live_database: str, tmp_path_factory: pytest.TempPathFactory, command: Sequence[str]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with serving(live_database, folder, command=command) as at:
        people = [register(at.url) for _ in range(PEOPLE)]
        tokens = [sign_in(at.url, each).access for each in people]
        async with opened(at.url, *tokens * (SOCKETS // PEOPLE)) as clients:
            seconds = await asyncio.to_thread(stopped, at.process)
            assert {await client.ended() for client in clients} == {1012}
        assert seconds < 5
        assert sockets.errors(at.log) == []


def fill(wire: sockets.Raw) -> None:
    """Until the server cannot write: more pongs than anybody reads."""
    wire.line.settimeout(0.3)
    blob = frame(PING, b"x" * 125) * 1000
    for _ in range(120):
        try:
            wire.line.sendall(blob)
        except OSError:
            return


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[1])
def test_peers_that_answer_nothing_do_not_keep_it_from_stopping(
    live_database: str, tmp_path_factory: pytest.TempPathFactory, command: Sequence[str]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with serving(live_database, folder, command=command) as at, ExitStack() as stack:
        token = sign_in(at.url, register(at.url)).access
        # They take what comes, but answer no close.
        for _ in range(5):
            stack.enter_context(raw(at.url, token)).told("ready")
        # Half a message, half a frame, and one that was refused and stays on.
        half = stack.enter_context(raw(at.url, token))
        half.send(frame(TEXT, b"{", first=0), b"\x81\xff")
        stack.enter_context(raw(at.url, "nobody"))
        assert stopped(at.process) < 5
        assert sockets.errors(at.log) == []


def test_peers_that_do_not_read_do_not_keep_it_from_stopping(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with serving(live_database, folder) as at, ExitStack() as stack:
        token = sign_in(at.url, register(at.url)).access
        for _ in range(2):
            wire = stack.enter_context(raw(at.url, token, buffer=4096))
            wire.told("ready")
            fill(wire)
        seconds = stopped(at.process)
        assert seconds < STOP_SECONDS
        assert sockets.errors(at.log) == []


async def test_who_comes_back_to_another_process_misses_nothing(
    live_database: str, tmp_path_factory: pytest.TempPathFactory, store: OwnRedis
) -> None:
    """Events are written all the time, through the process that goes and the one that
    stays.
    """
    folder = tmp_path_factory.mktemp("logs")
    with (
        serving(live_database, folder, redis_url=store.url) as going,
        serving(live_database, folder, redis_url=store.url) as staying,
    ):
        person = register(staying.url)
        tokens = [sign_in(staying.url, person).access for _ in range(4)]
        writers = [sign_in(staying.url, person).access for _ in range(2)]
        running = True

        async def write(url: str, token: str) -> int:
            written = 0
            while running:
                body = {"last_name": sockets.secret()}
                try:
                    answer = await asyncio.to_thread(
                        ask, url, "PATCH", "/users/me", body, token=token
                    )
                except OSError:
                    return written
                if answer.status == 200:
                    written += 1
                await asyncio.sleep(0.02)
            return written

        async def follow(token: str) -> set[str]:
            """As the document tells a client to."""
            first = await dial(going.url, token)
            await first.ended(30)
            assert first.code == 1012
            [ready] = [f for f in first.frames if f["type"] == "ready"]
            newest = max([*first.ids, ready["last_event_id"]])
            await asyncio.sleep(0.3)
            second = await dial(staying.url, token)
            await second.say("resume", after=newest)
            await second.say("ping")
            await second.told("pong", 20)
            while running:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            await hang_up(second)
            return {*first.ids, *second.ids}

        followers = [asyncio.create_task(follow(token)) for token in tokens]
        await asyncio.sleep(0.7)
        writing = [
            asyncio.create_task(write(at.url, token))
            for at, token in zip((going, staying), writers, strict=True)
        ]
        await asyncio.sleep(1)
        await asyncio.to_thread(stopped, going.process)
        await asyncio.sleep(1.5)
        running = False
        written = sum(await asyncio.gather(*writing))
        heard = await asyncio.gather(*followers)
        stored = servers.rows(
            live_database,
            "SELECT id FROM audit_event WHERE action = 'user.updated' AND target_id = ?",
            person.id.replace("-", "") if "sqlite" in live_database else person.id,
        )
        ids = {str(event).replace("-", "") for (event,) in stored}
        assert written >= 40
        assert len(ids) >= written
        for each in heard:
            assert ids - {event.replace("-", "") for event in each} == set()
        assert sockets.errors(going.log) == sockets.errors(staying.log) == []


def test_no_socket_opens_on_a_server_that_is_stopping(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Over a connection that was there before, kept alive."""
    folder = tmp_path_factory.mktemp("logs")
    with (
        serving(live_database, folder) as at,
        closing(sockets.plug(at.url)) as line,
    ):
        token = sign_in(at.url, register(at.url)).access
        at.process.send_signal(signal.SIGTERM)
        line.sendall(sockets.head(at.url, token))
        line.settimeout(5)
        try:
            told = line.recv(4096)
        except ConnectionError:
            told = b""
        assert b" 101 " not in told
        assert at.process.wait(STOP_SECONDS) in CLEAN
        assert sockets.errors(at.log) == []


async def test_a_replay_that_nobody_reads_does_not_keep_it_from_stopping(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with serving(live_database, folder) as at, ExitStack() as stack:
        token = sign_in(at.url, register(at.url)).access
        for number in range(30):
            body = {"last_name": f"N{number}"}
            ask(at.url, "PATCH", "/users/me", body, token=token)
        wire = stack.enter_context(raw(at.url, token, buffer=2048))
        after = wire.told("ready")["last_event_id"]
        for _ in range(15):
            wire.send(text("resume", after=after))
        seconds = await asyncio.to_thread(stopped, at.process)
        assert seconds < STOP_SECONDS
        assert sockets.errors(at.log) == []
