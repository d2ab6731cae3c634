"""What only a socket can send, and only a server can answer."""

import contextlib
from contextlib import closing

import pytest

from tests.live_servers.conftest import Launched
from tests.live_servers.wire import JSON, LOGIN, ME, dial, exchange, read_answer

# Refused before it is a request: the framing is in doubt, so the connection ends.
UNREADABLE = {
    "two lengths": LOGIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "one length twice": LOGIN + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": LOGIN + b"Content-Length: -1\r\n\r\n",
    "a length in words": LOGIN + b"Content-Length: two\r\n\r\n{}",
    "a length, then chunks": (
        LOGIN + b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunks, then a length": (
        LOGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n0\r\n\r\n"
    ),
    "a strange encoding": LOGIN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": LOGIN + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "a chunk that overflows": (
        LOGIN + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n"
    ),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a word": b"HELLO\r\n\r\n",
    "an unknown method": b"FOO /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a version of the future": b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n",
    "a control character": b"GET /a\x01b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes above ASCII": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in a header": ME + b"X-A: a\0b\r\n\r\n",
    "a space in a name": ME + b"X-A : b\r\n\r\n",
    "a folded header": ME + b"X-A: b\r\n c\r\n\r\n",
    "bare line feeds": ME.replace(b"\r\n", b"\n") + b"\n",
}
# A request, but to a host that is not ours (checks 183).
ELSEWHERE = {
    "another host": b"GET /api/v1/users/me HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "two hosts": ME + b"Host: evil.example\r\n\r\n",
    "one host twice": ME + b"Host: localhost\r\n\r\n",
    "no host": b"GET /api/v1/users/me HTTP/1.1\r\n\r\n",
    "an empty host": b"GET /api/v1/users/me HTTP/1.1\r\nHost:\r\n\r\n",
    "no such port": b"GET / HTTP/1.1\r\nHost: localhost:99999999\r\n\r\n",
    "a name in front": b"GET / HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n",
    "a name behind": b"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n",
}
ABSOLUTE = {
    "another host": b"GET http://evil.example/api/v1/users/me HTTP/1.1\r\n",
    "another host and port": b"GET http://evil.example:80/api/v1/users/me HTTP/1.1\r\n",
    "a person in it": b"GET http://localhost@evil.example/api/v1/users/me HTTP/1.1\r\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_http_is_400_and_the_connection_ends(
    launched: Launched, name: str
) -> None:
    with closing(dial(launched.url)) as line:
        line.sendall(UNREADABLE[name])
        answer = read_answer(line)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    assert b"evil" not in answer.body
    if launched.is_ours:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.code == "malformed_request"
        assert answer.json["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_request_to_a_host_that_is_not_ours_is_400(
    launched: Launched, name: str
) -> None:
    answer = exchange(launched.url, ELSEWHERE[name])
    assert (answer.status, answer.code) == (400, "host_not_allowed")
    assert b"evil" not in answer.body
    assert not any("evil" in value for value in answer.headers.values())


@pytest.mark.parametrize("name", ABSOLUTE)
def test_the_host_of_an_absolute_request_line_counts_and_not_the_header(
    launched: Launched, name: str
) -> None:
    """RFC 9112 §3.2.2. Plain uvicorn forgets that host: nothing may come of it."""
    answer = exchange(launched.url, ABSOLUTE[name] + b"Host: localhost\r\n\r\n")
    wanted = (400, "host_not_allowed") if launched.is_ours else (401, "not_authenticated")
    assert (answer.status, answer.code) == wanted
    assert b"evil" not in answer.body


def test_an_absolute_request_line_to_our_host_is_served(launched: Launched) -> None:
    line = b"GET http://localhost/health/live?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = exchange(launched.url, line)
    assert (answer.status, answer.json) == (200, {"status": "alive"})


@pytest.mark.parametrize("target", [b"*", b"http://localhost", b"//evil.example/x"])
def test_a_strange_request_target_is_a_clean_refusal(
    launched: Launched, target: bytes
) -> None:
    request = b"OPTIONS " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = exchange(launched.url, request)
    assert answer.status in {400, 404}
    assert b"evil" not in answer.body


def test_requests_in_one_go_are_answered_in_their_order(launched: Launched) -> None:
    live = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = ME + b"Connection: close\r\n\r\n"
    with closing(dial(launched.url)) as line, line.makefile("rb") as answers:
        line.sendall(live + last)
        both = answers.read()
    assert both.count(b"HTTP/1.1 ") == 2
    assert both.index(b"alive") < both.index(b"not_authenticated")
