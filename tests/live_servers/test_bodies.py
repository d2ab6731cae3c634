"""Bodies that are chunked, slow, broken off, or far too large."""

import contextlib
import json
import socket
from contextlib import ExitStack, closing

import pytest

from tests.live_servers.calls import (
    Call,
    at_once,
    credentials,
    me,
    register,
)
from tests.live_servers.conftest import Launched
from tests.live_servers.wire import (
    JSON,
    LOGIN,
    ME,
    chunked,
    dial,
    exchange,
    read_answer,
)

PIECE = b"a" * 65_536
PIECES = 320
# What 20 MB of anything may cost a process (checks 159).
MEMORY_KIB = 30 * 1024
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MANY = 40


class Meter:
    """The most memory that a server took since then."""

    def __init__(self, server: Launched) -> None:
        self.server = server
        self.before = self.most = server.memory_kib

    @property
    def growth_kib(self) -> int:
        return self.most - self.before

    def pour(self, lines: list[socket.socket], piece: bytes, *, pieces: int) -> None:
        for number in range(pieces):
            for line in lines:
                line.sendall(piece)
            if number % 16 == 0:
                self.most = max(self.most, self.server.memory_kib)


def login_body(server: str) -> bytes:
    return json.dumps(credentials(register(server).email)).encode()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_body_is_read_like_any_other(launched: Launched, size: int) -> None:
    """Checks 161, in chunks of that many bytes."""
    body = login_body(launched.url)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    answer = exchange(launched.url, LOGIN + JSON + CHUNKED, chunked(*pieces))
    assert answer.status == 200
    assert me(launched.url, answer.json["access_token"]) == 200


def test_a_body_that_arrives_byte_by_byte_is_read_while_others_are_served(
    launched: Launched,
) -> None:
    body = login_body(launched.url)
    head = LOGIN + JSON + b"Content-Length: %d\r\n\r\n" % len(body)
    with closing(dial(launched.url)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(head)
        for position in range(len(body)):
            line.sendall(body[position : position + 1])
            if position % 10 == 0:
                assert me(launched.url, "nobody") == 401
        assert read_answer(line).status == 200


def test_bodies_that_do_not_arrive_hold_nobody_up(launched: Launched) -> None:
    body = login_body(launched.url)
    head = LOGIN + JSON + b"Content-Length: %d\r\n\r\n" % len(body)
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(dial(launched.url))) for _ in range(MANY)]
        for line in lines:
            line.sendall(head + body[:10])
        assert exchange(launched.url, head, body).status == 200
        for line in lines:
            line.sendall(body[10:])
        assert {read_answer(line).status for line in lines} == {200}


LENGTH = b"Content-Length: 1000\r\n\r\n"
EMPTY = b"Content-Length: 2\r\n\r\n{}"
BROKEN_OFF = {
    "in the address": b"GET /api/v1/us",
    "in the head": ME,
    "before the body": LOGIN + JSON + LENGTH,
    "in the body": LOGIN + JSON + LENGTH + b'{"email": "',
    "in a chunk": LOGIN + JSON + CHUNKED + b"5\r\n{",
    "before the answer": ME + b"\r\n",
    "before the answer to a body": LOGIN + JSON + EMPTY,
}
PIPELINED = {
    "before many answers": (LOGIN + JSON + EMPTY) * 8,
    "behind garbage": (ME + b"\r\n") * 8 + b"\0",
}


def leave(launched: Launched, begun: bytes) -> None:
    for _ in range(MANY):
        with closing(dial(launched.url)) as line:
            line.sendall(begun)
    # All slots are free again, those for hashing too.
    login = Call(
        launched.url, "POST", "/auth/login", json.loads(login_body(launched.url))
    )
    assert {answer.status for answer in at_once([login] * 8)} == {200}


@pytest.mark.parametrize("point", BROKEN_OFF)
def test_clients_that_go_away_leave_the_server_whole(
    launched: Launched, point: str
) -> None:
    leave(launched, BROKEN_OFF[point])


@pytest.mark.parametrize("launched", ["serve", "gunicorn"], indirect=True)
@pytest.mark.parametrize("point", PIPELINED)
def test_clients_that_go_away_from_several_requests_leave_the_server_whole(
    launched: Launched, point: str
) -> None:
    leave(launched, PIPELINED[point])


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Length: 20971520\r\n\r\n", PIECE),
        (CHUNKED, b"10000\r\n" + PIECE + b"\r\n"),
    ],
    ids=["declared", "chunked"],
)
def test_a_body_of_twenty_megabytes_is_413_before_it_is_there_and_costs_no_memory(
    launched: Launched, head: bytes, piece: bytes
) -> None:
    meter = Meter(launched)
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(dial(launched.url))) for _ in range(4)]
        for line in lines:
            line.sendall(LOGIN + JSON + head + piece)
        meter.pour(lines, piece, pieces=20)
        answers = [read_answer(line) for line in lines]
        meter.pour(lines, piece, pieces=PIECES - 20)
    assert {(answer.status, answer.code) for answer in answers} == {
        (413, "body_too_large")
    }
    assert meter.growth_kib < MEMORY_KIB


@pytest.mark.parametrize("launched", ["serve", "gunicorn"], indirect=True)
@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /", PIECE),
        (ME + b"X-A: ", PIECE),
        (ME, b"X-A: b\r\n" * 8192),
        (ME, b"X-" + PIECE + b": b\r\n"),
        (LOGIN + JSON + CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n" * 8192),
        (b"", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1400),
        (b"", LOGIN + JSON + b"Content-Length: 65536\r\n\r\n" + PIECE),
    ],
    ids=["address", "header", "headers", "name", "trailers", "requests", "bodies"],
)
def test_twenty_megabytes_without_an_end_cost_no_memory(
    launched: Launched, begin: bytes, piece: bytes
) -> None:
    """Plain uvicorn has no bounds here: what is before it must have them."""
    meter = Meter(launched)
    with closing(dial(launched.url)) as line:
        line.settimeout(2)
        # Cut off, or no longer read from: either is an answer.
        with contextlib.suppress(OSError):
            line.sendall(begin)
            meter.pour([line], piece, pieces=PIECES)
    assert meter.growth_kib < MEMORY_KIB


def test_a_head_that_is_too_large_is_431(launched: Launched) -> None:
    for name in (b"X-A", b"Authorization", b"Cookie"):
        head = ME + b"%s: %s\r\n\r\n" % (name, b"a" * 40_000)
        answer = exchange(launched.url, head)
        assert (answer.status, answer.code) == (431, "headers_too_large")
        several = ME + b"%s: b\r\n" % name * 10_000 + b"\r\n"
        answer = exchange(launched.url, several)
        assert (answer.status, answer.code) == (431, "headers_too_large")
