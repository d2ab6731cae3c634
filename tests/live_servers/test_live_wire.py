"""What a peer can do to a socket on the wire, however the server was started."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.workers import OPTIONS
from tests import servers
from tests.live_servers import sockets
from tests.live_servers.calls import me, register, sign_in
from tests.live_servers.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PATH,
    PING,
    PONG,
    TEXT,
    Process,
    Raw,
    answer,
    frame,
    head,
    plug,
    raw,
    serving,
    text,
)
from tests.live_servers.wire import read_answer

LAUNCHERS = {
    "serve": servers.SERVE,
    "gunicorn": servers.GUNICORN,
    "uvicorn": servers.UVICORN,
}
KIB = 1024
MOST = 64 * KIB
# As the operator's own uvicorn would be told, but with shorter timers.
SOON = (
    *servers.UVICORN,
    *("--http", "config.protocol:Protocol", "--ws", "config.sockets:SocketProtocol"),
    *("--ws-ping-interval", "1", "--ws-ping-timeout", "1", "--no-access-log"),
)


@dataclass(frozen=True)
class Served:
    name: str
    at: Process
    token: str

    @property
    def url(self) -> str:
        return self.at.url

    @property
    def memory_kib(self) -> int:
        """Of the process and its children."""
        return sum(
            each.memory_kib
            for each in servers.processes().values()
            if self.at.pid in {each.pid, each.parent}
        )


@pytest.fixture(scope="module")
def every(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Served]]:
    folder = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        starts = {
            name: serving(live_database, folder, command=command, SOCKETS_PER_USER="1000")
            for name, command in LAUNCHERS.items()
        }
        # At once: a start takes some seconds.
        begun = {name: pool.submit(start.__enter__) for name, start in starts.items()}
        for start in starts.values():
            stack.push(start.__exit__)
        token = ""
        found = {}
        for name, each in begun.items():
            at = each.result()
            token = token or sign_in(at.url, register(at.url)).access
            found[name] = Served(name, at, token)
        yield found


@pytest.fixture(params=LAUNCHERS)
def served(request: pytest.FixtureRequest, every: dict[str, Served]) -> Iterator[Served]:
    """Whatever a peer does to it, it serves the next one and logs no error."""
    yield from unharmed(every[request.param])


@pytest.fixture
def ours(every: dict[str, Served]) -> Iterator[Served]:
    """The same, under `manage.py serve` alone."""
    yield from unharmed(every["serve"])


def unharmed(served: Served) -> Iterator[Served]:
    before = served.at.log.stat().st_size
    yield served
    with raw(served.url, served.token) as wire:
        wire.told("ready")
        wire.send(text("ping"))
        wire.told("pong")
    assert me(served.url, served.token) == 200
    found = [e for e in sockets.errors(served.at.log, before) if not is_known(served, e)]
    assert found == []


def is_known(served: Served, error: dict[str, Any]) -> bool:
    """L8, which has a test of its own."""
    return served.name == "uvicorn" and "completing handshake" in error["event"]


@pytest.fixture
def wire(served: Served) -> Iterator[Raw]:
    with raw(served.url, served.token) as line:
        line.told("ready")
        yield line


# --- Frames ----------------------------------------------------------------------------

OVERSIZE = {
    "one frame": [frame(TEXT, b"x" * (MOST + 1))],
    "two pieces": [
        frame(TEXT, b"x" * MOST, first=0),
        frame(CONTINUATION, b"x"),
    ],
    "many pieces": [
        frame(TEXT, b"x", first=0),
        *[frame(CONTINUATION, b"x" * 100, first=0) for _ in range(700)],
        frame(CONTINUATION, b"x"),
    ],
    "a ping between them": [
        frame(TEXT, b"x" * MOST, first=0),
        frame(PING, b"hello"),
        frame(CONTINUATION, b"xx"),
    ],
    "a ping of its own before it": [text("ping"), frame(TEXT, b"x" * (MOST + 1))],
}


@pytest.mark.parametrize("name", OVERSIZE)
def test_a_message_above_64_kib_ends_the_socket_with_1009(wire: Raw, name: str) -> None:
    wire.send(*OVERSIZE[name])
    assert wire.closed() == 1009


def test_only_what_a_length_claims_ends_it_as_well(ours: Served) -> None:
    """Before the bytes come: nobody waits for eight exabytes."""
    for length in (MOST + 1, 2**40, 2**63 - 1):
        with raw(ours.url, ours.token) as wire:
            wire.send(bytes([0x81, 0xFF]) + struct.pack("!Q", length) + b"mask")
            assert wire.closed() == 1009


def test_64_kib_are_read_and_not_understood(wire: Raw) -> None:
    wire.send(frame(TEXT, b'"' + b"x" * (MOST - 2) + b'"'))
    assert wire.told("error")["code"] == "malformed_request"
    wire.send(text("ping"))
    wire.told("pong")


def test_a_message_in_pieces_is_one_message(wire: Raw) -> None:
    wire.send(frame(TEXT, b'{"type"', first=0), frame(PING, b"between"))
    wire.send(frame(CONTINUATION, b': "pi', first=0), frame(CONTINUATION, b'ng"}'))
    assert wire.frame() == (PONG, b"between")
    wire.told("pong")


@pytest.mark.parametrize("content", [b"", b"x", b"x" * MOST, b'{"type":"ping"}'])
def test_a_binary_frame_ends_the_socket_with_1003(wire: Raw, content: bytes) -> None:
    wire.send(frame(BINARY, content))
    assert wire.closed() == 1003


def test_invalid_utf8_is_nothing_to_log_as_an_error(ours: Served) -> None:
    before = ours.at.log.stat().st_size
    with raw(ours.url, ours.token) as wire:
        wire.send(frame(TEXT, b'{"type": "\xff"}'))
        assert wire.closed() == 1007
    found = sockets.errors(ours.at.log, before)
    # The fixture looks again behind this test.
    with ours.at.log.open("r+b") as log:
        log.truncate(before)
    assert found == []


NO_FRAME = {
    "not masked": frame(TEXT, b'{"type": "ping"}', masked=False),
    "a reserved bit": frame(TEXT, b"{}", first=0xC0),
    "an unknown opcode": frame(3, b"{}"),
    "an unknown control": frame(11, b"{}"),
    "a ping in pieces": frame(PING, b"x", first=0),
    "a long ping": frame(PING, b"x" * 126),
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "a message in a message": frame(TEXT, b"x", first=0) + frame(TEXT, b"x"),
    "a close of one byte": frame(CLOSE, b"\x03"),
    "a close of no such code": frame(CLOSE, struct.pack("!H", 1005)),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "noise": bytes(range(255, 0, -1)),
}


@pytest.mark.parametrize("name", NO_FRAME)
def test_what_is_no_frame_ends_the_socket_with_1002(wire: Raw, name: str) -> None:
    wire.send(NO_FRAME[name])
    assert wire.closed() == 1002


def test_a_close_with_words_that_are_no_utf8_is_1007(wire: Raw) -> None:
    wire.send(frame(CLOSE, struct.pack("!H", 1000) + b"\xff"))
    assert wire.closed() in {1002, 1007}


def test_a_close_is_answered_with_its_code(wire: Raw) -> None:
    wire.send(frame(CLOSE, struct.pack("!H", 1000)))
    assert wire.closed() == 1000


def test_a_peer_that_goes_without_a_word_leaves_nothing(ours: Served) -> None:
    before = sockets.files(ours.at.pid)
    for ending in (b"", text("ping"), frame(TEXT, b"x", first=0), b"\x81"):
        with raw(ours.url, ours.token) as wire:
            wire.send(ending)
            # A reset instead of an orderly end.
            wire.line.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
    time.sleep(0.3)
    assert sockets.files(ours.at.pid) <= before


# --- Compression -----------------------------------------------------------------------

DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


def test_compression_is_not_agreed_to(ours: Served) -> None:
    with closing(plug(ours.url)) as line:
        line.sendall(head(ours.url, ours.token, DEFLATE))
        assert b"permessage-deflate" not in line.recv(4096).partition(b"\r\n\r\n")[0]


def test_a_message_that_grows_when_unpacked_ends_the_socket(served: Served) -> None:
    before = served.memory_kib
    packer = zlib.compressobj(9, wbits=-12)
    bomb = packer.compress(b" " * 15 * 1024 * KIB) + packer.flush(zlib.Z_SYNC_FLUSH)
    with raw(served.url, served.token, DEFLATE) as wire:
        wire.send(frame(TEXT, bomb[:-4], first=0xC0))
        # Without compression the bit before it is the fault.
        assert wire.closed() == (1009 if served.name == "uvicorn" else 1002)
    assert served.memory_kib - before < 64 * KIB


# --- Floods ----------------------------------------------------------------------------


def test_a_flood_of_messages_is_refused_and_then_ended(wire: Raw) -> None:
    wire.send(*[text("ping") for _ in range(60)])
    kinds = [json.loads(wire.frame()[1])["type"] for _ in range(60)]
    # A second may turn between them.
    assert 20 <= kinds.count("pong") <= 40
    assert kinds.count("error") == 60 - kinds.count("pong")
    wire.send(*[text("ping") for _ in range(250)])
    assert wire.closed() == 4429


def test_pings_are_answered_and_their_flood_holds_nobody_up(ours: Served) -> None:
    with raw(ours.url, ours.token) as wire:
        wire.told("ready")
        for number in range(20):
            wire.send(frame(PING, b"%d" % number) * 100)
            for _ in range(100):
                assert wire.frame() == (PONG, b"%d" % number)
            begun = time.monotonic()
            assert me(ours.url, ours.token) == 200
            assert time.monotonic() - begun < 1


def pour(wire: Raw, blob: bytes, total: int, seconds: float) -> int:
    """How much the server took."""
    wire.line.settimeout(2)
    sent, end = 0, time.monotonic() + seconds
    try:
        while sent < total and time.monotonic() < end:
            wire.line.sendall(blob)
            sent += len(blob)
    except OSError:
        pass  # it takes no more, as it should
    return sent


def test_pings_of_a_peer_that_does_not_read_do_not_pile_up(ours: Served) -> None:
    before = ours.memory_kib
    with raw(ours.url, ours.token, buffer=4096) as wire:
        wire.told("ready")
        pour(wire, frame(PING, b"x" * 125) * 2000, 60_000_000, 10)
        assert ours.memory_kib - before < 16 * KIB


def test_a_message_of_endless_empty_pieces_is_ended(ours: Served) -> None:
    with raw(ours.url, ours.token) as wire:
        wire.told("ready")
        wire.send(frame(TEXT, b"", first=0))
        wire.send(frame(CONTINUATION, b"", first=0) * 2_000)
        assert wire.closed() == 1009


# --- Peers that are not there ----------------------------------------------------------


def test_who_does_not_answer_a_ping_is_gone_within_a_minute() -> None:
    assert OPTIONS["ws_ping_interval"] + OPTIONS["ws_ping_timeout"] <= 60


STOPPED = """
import asyncio, sys, websockets
async def main():
    url, token = sys.argv[1:]
    async with websockets.connect(url.replace("http", "ws", 1) + "/ws/v1/events",
        origin=url, additional_headers={"Authorization": f"Bearer {token}"}) as line:
        print(await line.recv(), flush=True)
        async for _ in line: pass
asyncio.run(main())
"""


def test_half_open_peers_are_reaped(
    live_database: str, tmp_path: Path, every: dict[str, Served]
) -> None:
    token = every["serve"].token
    with serving(live_database, tmp_path, command=SOON) as at, ExitStack() as stack:
        words = [sys.executable, "-c", STOPPED, at.url, token]
        client = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: S603  # our own
        try:
            assert client.stdout
            assert b"ready" in client.stdout.readline()
            os.kill(client.pid, signal.SIGSTOP)
            # With its `ready` the database is open, which stays.
            silent = stack.enter_context(raw(at.url, token))
            silent.told("ready")
            before = sockets.files(at.pid)
            lively = stack.enter_context(raw(at.url, token))
            begun = time.monotonic()
            while time.monotonic() - begun < 5:
                opcode, content = lively.frame()
                if opcode == PING:
                    lively.send(frame(PONG, content))
                    if time.monotonic() - begun > 3:
                        break
            assert silent.closed() == 1011
            silent.line.close()
            # The stopped one, and one that is no longer there, are let go of.
            gone = [e["code"] for e in sockets.lines(at.log) if e["event"] == "socket"]
            assert len(gone) == 2, gone
            # One more, and two less.
            assert sockets.files(at.pid) < before
        finally:
            client.kill()
            client.wait()
            if client.stdout:
                client.stdout.close()
        assert sockets.errors(at.log) == []


def test_who_opens_and_says_nothing_stays_and_who_was_refused_goes(ours: Served) -> None:
    with raw(ours.url, ours.token) as quiet, raw(ours.url, "nobody") as nobody:
        assert nobody.closed() == 4401
        # It does not answer the close; ten seconds are for that, and no more.
        begun = time.monotonic()
        nobody.line.settimeout(15)
        assert nobody.line.recv(1) == b""
        assert time.monotonic() - begun < 12
        quiet.told("ready")


# --- Handshakes ------------------------------------------------------------------------

UNANSWERED = {
    "a line of 9 KiB": [("X-Long", "a" * 9000)],
    "150 headers": [(f"X-{number}", "a") for number in range(150)],
    "a length": [("Content-Length", "10")],
    "chunks": [("Transfer-Encoding", "chunked")],
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_every_handshake_is_answered(every: dict[str, Served], name: str) -> None:
    found = answer(
        every["serve"].url, head(every["serve"].url, "", *UNANSWERED[name]), seconds=2
    )
    assert 400 <= found.status < 500


def test_browsers_with_big_cookies_get_in(every: dict[str, Served]) -> None:
    """As over HTTP, where 32 KiB of headers are read."""
    url = every["serve"].url
    cookie = ("Cookie", "a" * 9000)
    assert answer(url, head(url, every["serve"].token, cookie), seconds=2).status == 101


@pytest.mark.parametrize("size", [40, 64, 90])
def test_headers_beyond_the_limit_are_431(served: Served, size: int) -> None:
    fields = [(f"X-{number}", "a" * 1000) for number in range(size)]
    if served.name == "uvicorn" and size > 64:
        pytest.skip("plain uvicorn has its own limits")
    found = answer(served.url, head(served.url, served.token, *fields))
    assert (found.status, found.code) == (431, "headers_too_large")


ELSEWHERE = ["/health/live", "/api/v1/users/me", "/static/x", "/", "/admin/", "/docs"]


@pytest.fixture
def refusing(every: dict[str, Served]) -> Iterator[Served]:
    yield from unharmed(every["uvicorn"])


def handshake_errors(served: Served, **how: Any) -> list[dict[str, Any]]:
    before = served.at.log.stat().st_size
    answer(served.url, head(served.url, served.token, **how))
    time.sleep(0.2)
    found = sockets.errors(served.at.log, before)
    with served.at.log.open("r+b") as log:
        log.truncate(before)
    return found


def test_plain_uvicorn_logs_no_error_for_a_refused_handshake(refusing: Served) -> None:
    assert handshake_errors(refusing, path="/static/x") == []
    assert handshake_errors(refusing, without=["Origin"]) == []


@pytest.mark.parametrize("path", [*ELSEWHERE, f"{PATH}/", "/ws/v1/%65vents/x"])
def test_no_other_path_has_a_socket(served: Served, path: str) -> None:
    found = answer(served.url, head(served.url, served.token, path=path))
    assert (found.status, found.code) == (404, "not_found")
    assert "x-content-type-options" in found.headers
    assert "x-request-id" in found.headers


def test_the_path_of_the_sockets_is_nothing_over_http(served: Served) -> None:
    asked = head(served.url, served.token, path=PATH, without=["Upgrade", "Connection"])
    found = answer(served.url, asked)
    assert found.status in {400, 404, 426}
    assert found.headers["content-type"].startswith("application/problem+json")


NO_HANDSHAKE: dict[str, Callable[[str], bytes]] = {
    "another version": lambda url: head(
        url, "", ("Sec-WebSocket-Version", "12"), without=["Sec-WebSocket-Version"]
    ),
    "no version": lambda url: head(url, without=["Sec-WebSocket-Version"]),
    "no key": lambda url: head(url, without=["Sec-WebSocket-Key"]),
    "two keys": lambda url: head(url, "", ("Sec-WebSocket-Key", "x")),
    "a short key": lambda url: head(
        url, "", ("Sec-WebSocket-Key", "x"), without=["Sec-WebSocket-Key"]
    ),
    "two origins": lambda url: head(url, "", ("Origin", url)),
    "POST": lambda url: head(url, method="POST"),
}


@pytest.mark.parametrize("name", NO_HANDSHAKE)
def test_what_is_no_handshake_is_refused(served: Served, name: str) -> None:
    found = answer(served.url, NO_HANDSHAKE[name](served.url))
    assert found.status in {400, 405, 426}


@pytest.mark.parametrize("name", NO_HANDSHAKE)
def test_it_is_refused_with_a_problem_document(ours: Served, name: str) -> None:
    found = answer(ours.url, NO_HANDSHAKE[name](ours.url))
    assert found.headers["content-type"].startswith("application/problem+json")
    assert "x-request-id" in found.headers


ORIGINS = [
    None,
    "null",
    "",
    "https://evil.io",
    "https://app.example.com.evil.io",
    "https://evil-app.example.com",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com/",
    "https://user@app.example.com",
    "https://APP.example.com",
    "file://",
    "*",
    "http://localhost",
    "http://127.0.0.1",
    "https://app.example.com, https://evil.io",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_origin_is_refused(ours: Served, origin: str | None) -> None:
    more = [] if origin is None else [("Origin", origin)]
    asked = head(ours.url, ours.token, *more, without=["Origin"])
    found = answer(ours.url, asked)
    assert (found.status, found.code) == (403, "origin_not_allowed")


def test_an_origin_of_the_list_gets_in(ours: Served) -> None:
    more = ("Origin", "https://app.example.com")
    assert answer(ours.url, head(ours.url, "", more, without=["Origin"])).status == 101


def call_of(served: Served) -> bytes:
    fields = f"Host: localhost\r\nAuthorization: Bearer {served.token}\r\n"
    return f"GET /api/v1/users/me HTTP/1.1\r\n{fields}\r\n".encode()


def test_a_request_before_the_handshake_is_no_fault(ours: Served) -> None:
    with closing(plug(ours.url)) as line:
        for _ in range(2):
            line.sendall(call_of(ours))
            assert read_answer(line).status == 200
        line.sendall(head(ours.url, ours.token))
        wire = Raw(line)
        assert wire.status() == 101
        wire.told("ready")


def test_a_request_still_unanswered_does_not_get_into_the_socket(ours: Served) -> None:
    with closing(plug(ours.url)) as line:
        line.sendall(call_of(ours) + head(ours.url, ours.token))
        line.settimeout(1)
        seen = b""
        try:
            while data := line.recv(65_536):
                seen += data
        except TimeoutError:
            pass
    assert seen.count(b"HTTP/1.1 ") >= 1
    # Refused, or answered in order: never behind the handshake.
    assert b"HTTP/1.1 200" not in seen.partition(b" 101 ")[2]


# --- Logs ------------------------------------------------------------------------------


def test_no_token_gets_into_the_log(served: Served) -> None:
    """In whatever place it is offered; checks 234."""
    _, content, signature = served.token.split(".")
    with raw(served.url, served.token) as wire:
        wire.told("ready")
        wire.send(text("authenticate", access_token=served.token))
        wire.told("ready")
        wire.send(text(served.token), frame(TEXT, served.token.encode()))
        wire.told("error")
    bearer = ("Sec-WebSocket-Protocol", f"bearer, {served.token}")
    for asked in (
        head(served.url, served.token, path=f"{PATH}?token={served.token}"),
        head(served.url, "", bearer, without=["Authorization"]),
        head(served.url, "", bearer, without=["Authorization", "Origin"]),
        head(served.url, "", bearer, without=["Sec-WebSocket-Key"]),
        head(served.url, served.token, path=f"/nothing?access_token={served.token}"),
    ):
        answer(served.url, asked)
    query = head(served.url, "", path=f"{PATH}?access_token={served.token}")
    with closing(plug(served.url)) as line:
        line.sendall(query)
        wire = Raw(line)
        assert (wire.status(), wire.closed()) == (101, 4401)
    time.sleep(0.2)
    log = served.at.log.read_text()
    assert '"event": "socket"' in log
    assert not any(piece in log for piece in (content, signature))
    assert not re.search(r"eyJ[\w-]{8}", log)
    assert "access_token" not in log
