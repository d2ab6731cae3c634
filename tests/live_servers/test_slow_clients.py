"""A connection that does not go on is given up, and nobody else waits for it (S17)."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests import servers
from tests.live_servers.wire import JSON, LOGIN, ME, dial, exchange, read_answer

MANY = 100


@pytest.fixture(scope="module")
def impatient(live_database: str) -> Iterator[str]:
    settings = servers.environment(
        live_database, DJANGO_SETTINGS_MODULE="tests.live_servers.impatient"
    )
    with servers.server(settings) as url:
        yield url


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /api/v1/us",
        ME + b"X-A: b",
        LOGIN + JSON + b"Content-Length: 1000\r\n\r\n",
        LOGIN + JSON + b"Content-Length: 1000\r\n\r\n" + b'{"email": "',
        LOGIN + JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "address", "head", "no body", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_is_408(impatient: str, begun: bytes) -> None:
    with closing(dial(impatient)) as line:
        line.sendall(begun)
        answer = read_answer(line)
        assert (answer.status, answer.code) == (408, "request_timeout")
        line.settimeout(5)
        assert line.recv(1) == b""


def test_slow_clients_keep_nobody_from_being_served(impatient: str) -> None:
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(dial(impatient))) for _ in range(MANY)]
        for line in lines[::2]:
            line.sendall(ME)
        for line in lines[1::2]:
            line.sendall(LOGIN + JSON + b"Content-Length: 1000\r\n\r\n")
        assert exchange(impatient, ME + b"\r\n").status == 401
        assert {read_answer(line).status for line in lines} == {408}


def test_a_pause_between_two_requests_is_no_fault(impatient: str) -> None:
    """Longer than what a request may take to arrive."""
    with closing(dial(impatient)) as line:
        line.sendall(ME + b"\r\n")
        assert read_answer(line).status == 401
        with closing(dial(impatient)) as other:
            # Given up after that time; so it has passed.
            assert read_answer(other).status == 408
        line.sendall(ME + b"\r\n")
        assert read_answer(line).status == 401
