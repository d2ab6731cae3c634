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
# The server dies after so many answers, at three points of as many different loads.
KILLED_AFTER = (40, 110, 230)


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
            self.take(Pair.of(answer))
            answered.release()

    def take(self, pair: Pair) -> None:
        self.tokens.append(pair.refresh)


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
        again = Pair.of(refresh(service.b, client.tokens[-1]))
        # Asked again, the same: the lineage has not forked.
        assert refresh(service.a, client.tokens[-1]).json["refresh_token"] == (
            again.refresh
        )
        client.take(again)
        assert rotations_and_end(service, person) == (len(client.tokens) - 1, None)
        client.take(Pair.of(refresh(service.b, again.refresh)))
        assert me(service.a, again.access) == 200


def rotations_and_end(service: Service, person: Person) -> tuple[int, object]:
    """Of the one session of the person."""
    [(rotations, ended_at)] = service.sql(
        "SELECT s.rotations, s.ended_at FROM sessions_app_session s"
        " JOIN accounts_user u ON u.id = s.user_id WHERE u.email = ?",
        person.email,
    )
    return int(rotations), ended_at
