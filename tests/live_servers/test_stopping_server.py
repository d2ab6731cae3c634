"""SIGTERM: what is in flight is answered, nothing acknowledged is lost (checks 256)."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection, HTTPException
from threading import Semaphore
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.live_servers.calls import (
    API,
    answer_on,
    ask,
    new_email,
    registration,
)
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS

IN_FLIGHT = 12
CLIENTS = 8
GRACEFUL_SECONDS = 15
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
# Uvicorn ends itself by the signal that it was sent, once it has stopped in order.
CLEAN = {0, -signal.SIGTERM}

Start = Callable[..., AbstractContextManager[tuple["subprocess.Popen[bytes]", str]]]


@pytest.fixture
def start(live_database: str) -> Start:
    settings = servers.environment(live_database, **CHEAP_HASHING, **NO_LIMITS)

    def run(
        command: Sequence[str] = servers.SERVE, **more: str
    ) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", str]]:
        return servers.running(settings | more, command=command)

    return run


def half_sent(url: str, body: bytes) -> HTTPConnection:
    """A registration that the application has begun to read: it asked for the body."""
    line = HTTPConnection(urlsplit(url).netloc, timeout=30)
    line.putrequest("POST", f"{API}/auth/register")
    line.putheader("Content-Type", "application/json")
    line.putheader("Content-Length", str(len(body)))
    line.putheader("Expect", "100-continue")
    line.endheaders()
    assert line.sock.recv(len(CONTINUE), socket.MSG_WAITALL) == CONTINUE
    return line


def wait_until_refusing(url: str) -> None:
    address = urlsplit(url)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection((address.hostname, address.port), 1).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # It waited for the listener as that was closed: the next is refused.
            continue
        time.sleep(0.02)
    raise TimeoutError(url)


def registered(database: str, email: str) -> tuple[int, int]:
    """How many accounts, and how many events that say so."""
    accounts = "SELECT count(*) FROM accounts_user WHERE email = ?"
    events = (
        "SELECT count(*) FROM audit_event"
        " WHERE action = 'user.registered' AND target_label = ?"
    )
    [(people,)], [(said,)] = (
        servers.rows(database, sql, email) for sql in (accounts, events)
    )
    return people, said


@pytest.mark.parametrize(
    "command", [servers.SERVE, servers.GUNICORN, servers.UVICORN], ids=lambda c: c[1]
)
def test_a_server_told_to_stop_answers_what_it_has_begun_and_takes_no_more(
    start: Start, live_database: str, command: Sequence[str]
) -> None:
    emails = [new_email() for _ in range(IN_FLIGHT)]
    bodies = [json.dumps(registration(email)).encode() for email in emails]
    with start(command) as (process, url):
        lines = [half_sent(url, body) for body in bodies]
        process.send_signal(signal.SIGTERM)
        wait_until_refusing(url)
        for line, body in zip(lines, bodies, strict=True):
            line.send(body)
        answers = [answer_on(line) for line in lines]
        assert process.wait(timeout=10) in CLEAN
    assert [answer.status for answer in answers] == [201] * IN_FLIGHT
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    assert {registered(live_database, email) for email in emails} == {(1, 1)}


def register_until_gone(url: str, answered: Semaphore) -> tuple[list[str], str]:
    """The addresses that were acknowledged, and the one that was not."""
    acknowledged: list[str] = []
    while True:
        email = new_email()
        try:
            answer = ask(url, "POST", "/auth/register", registration(email))
        except (OSError, HTTPException):
            return acknowledged, email
        assert answer.status == 201, answer.body
        acknowledged.append(email)
        answered.release()


def test_a_server_stopped_under_load_has_stored_all_that_it_acknowledged(
    start: Start, live_database: str
) -> None:
    answered = Semaphore(0)
    with start() as (process, url), ThreadPoolExecutor(CLIENTS) as pool:
        ends = [pool.submit(register_until_gone, url, answered) for _ in range(CLIENTS)]
        for _ in range(100):
            assert answered.acquire(timeout=30)
        process.send_signal(signal.SIGTERM)
        outcomes = [end.result(timeout=30) for end in ends]
        assert process.wait(timeout=10) in CLEAN
    for acknowledged, lost in outcomes:
        assert {registered(live_database, email) for email in acknowledged} == {(1, 1)}
        # Refused at the door, or done and the answer lost: never one half.
        assert registered(live_database, lost) in {(0, 0), (1, 1)}


def test_a_client_that_never_ends_its_request_does_not_keep_a_server_from_stopping(
    start: Start, live_database: str
) -> None:
    email = new_email()
    body = json.dumps(registration(email)).encode()
    with start() as (process, url), closing(half_sent(url, body)) as line:
        line.send(body[:10])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=GRACEFUL_SECONDS + 10) in CLEAN
    assert registered(live_database, email) == (0, 0)


def status_of(line: HTTPConnection, path: str) -> int:
    line.request("GET", path)
    answer = line.getresponse()
    answer.read()
    return answer.status


def test_a_server_told_to_stop_goes_on_until_the_balancer_knows(start: Start) -> None:
    with start(DRAIN_SECONDS="2") as (process, url):
        process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 2
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=5)) as line:
            while (ready := status_of(line, "/health/ready")) == 200:
                assert time.monotonic() < end
        assert ready == 503
        assert ask(url, "GET", "/users/me").status == 401
        wait_until_refusing(url)
        assert process.wait(timeout=10) in CLEAN


def test_a_server_told_twice_stops_at_once(start: Start) -> None:
    with start(DRAIN_SECONDS="60") as (process, url):
        process.send_signal(signal.SIGTERM)
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=5)) as line:
            while status_of(line, "/health/ready") == 200:
                time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in CLEAN


@pytest.mark.parametrize(
    "command", [servers.SERVE, servers.GUNICORN], ids=lambda command: command[1]
)
def test_a_request_on_its_way_to_a_server_told_to_stop_is_answered(
    start: Start, command: Sequence[str]
) -> None:
    with start(command) as (process, url):
        line = HTTPConnection(urlsplit(url).netloc, timeout=5)
        with closing(line), closing(HTTPConnection(urlsplit(url).netloc)) as silent:
            silent.connect()
            line.connect()
            # Answered, so that the two before it have been taken in as well.
            assert ask(url, "GET", "/users/me").status == 401
            process.send_signal(signal.SIGTERM)
            wait_until_refusing(url)
            line.request("GET", f"{API}/users/me")
            answer = line.getresponse()
            assert (answer.status, answer.headers["connection"]) == (401, "close")
            assert process.wait(timeout=10) in CLEAN


def test_a_socket_is_not_begun_by_a_server_told_to_stop(start: Start) -> None:
    with start() as (process, url):
        line = HTTPConnection(urlsplit(url).netloc, timeout=5)
        with closing(line):
            line.connect()
            assert ask(url, "GET", "/users/me").status == 401
            process.send_signal(signal.SIGTERM)
            wait_until_refusing(url)
            line.request("GET", "/ws/v1/events", headers=UPGRADE)
            answer = line.getresponse()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert json.loads(answer.read())["errors"][0]["code"] == "unavailable"
        assert process.wait(timeout=10) in CLEAN


def workers(process: "subprocess.Popen[bytes]") -> set[int]:
    return {
        running.pid
        for running in servers.processes().values()
        if running.parent == process.pid and "spawn_main" in running.command
    }


def wait_for_workers(process: "subprocess.Popen[bytes]", *, without: int = 0) -> set[int]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = workers(process)
        if len(found) == 2 and without not in found:
            return found
        time.sleep(0.1)
    raise TimeoutError


def test_a_killed_worker_is_replaced_while_the_other_one_serves(start: Start) -> None:
    with start(WEB_CONCURRENCY="2") as (process, url):
        before = wait_for_workers(process)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        assert {ask(url, "GET", "/users/me").status for _ in range(20)} == {401}
        after = wait_for_workers(process, without=killed)
        assert before - after == {killed}
        assert {ask(url, "GET", "/users/me").status for _ in range(20)} == {401}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in CLEAN
    assert not after & servers.processes().keys()
