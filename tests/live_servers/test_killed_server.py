"""A server that dies between a rotation and its answer loses nobody's session (S1)."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import Semaphore

import pytest

from tests import servers
from tests.live_servers.calls import Pair, Person, me, refresh, register, sign_in
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS, Service

CLIENTS = 16
# The server dies after so many answers.
KILLED_AFTER = (40, 170)


class Client:
    """Refreshes on one server until it is gone; knows every token that it ever had."""

    def __init__(self, pair: Pair) -> None:
        self.tokens = [pair.refresh]

    def refresh_until_gone(self, server: str, answered: Semaphore) -> None:
        while True:
            try:
                answer = refresh(server, self.tokens[-1])
            except (OSError, HTTPException):
                return
            self.tokens.append(Pair.of(answer).refresh)
            answered.release()


@pytest.fixture
def victim(service: Service) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    settings = servers.environment(service.database, **CHEAP_HASHING, **NO_LIMITS)
    with servers.running(settings) as (process, url):
        yield process, url


@pytest.mark.parametrize("answers", KILLED_AFTER)
def test_clients_of_a_killed_server_go_on_with_the_next_one(
    service: Service, victim: tuple["subprocess.Popen[bytes]", str], answers: int
) -> None:
    process, url = victim
    people = [register(service.a) for _ in range(CLIENTS)]
    clients = [Client(sign_in(service.a, person)) for person in people]
    answered = Semaphore(0)
    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = [pool.submit(c.refresh_until_gone, url, answered) for c in clients]
        for _ in range(answers):
            assert answered.acquire(timeout=30)
        process.send_signal(signal.SIGKILL)
        for end in ends:
            end.result(timeout=30)
    for person, client in zip(people, clients, strict=True):
        assert_goes_on(service, person, client)


def assert_goes_on(service: Service, person: Person, client: Client) -> None:
    """The last token that it has is good, once or spent by an answer that was lost."""
    again = Pair.of(refresh(service.b, client.tokens[-1]))
    repeated = Pair.of(refresh(service.a, client.tokens[-1]))
    assert repeated.refresh == again.refresh
    client.tokens.append(again.refresh)
    # One rotation for each token that it was given: the lineage has not forked.
    assert rotations_and_end(service, person) == (len(client.tokens) - 1, None)
    assert refresh(service.b, again.refresh).status == 200
    assert me(service.a, again.access) == 200


def rotations_and_end(service: Service, person: Person) -> tuple[int, object]:
    """Of the one session of the person."""
    [(rotations, ended_at)] = service.sql(
        "SELECT s.rotations, s.ended_at FROM sessions_app_session s"
        " JOIN accounts_user u ON u.id = s.user_id WHERE u.email = ?",
        person.email,
    )
    return int(rotations), ended_at
