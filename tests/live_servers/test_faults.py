"""A database that ends connections (S4), and one that lets every thread wait (S5).

benchmarks/faults does it under load, with the rest of the fault table.
"""

import os
from collections.abc import Iterator

import pytest

from tests import servers
from tests.live_servers.calls import (
    Call,
    Pair,
    answer_on,
    ask,
    at_once,
    me,
    register,
    sent,
    sign_in,
)
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS, Service
from tests.live_servers.queues import A_PERSON, held, queued, wait_for_queue

pytestmark = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="SQLite has no connections to end, and lets nobody who reads wait",
)
ROUNDS = 10
THREADS, WAITING = 4, 8
EVERYBODY = "LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE"
# How `queues` knows the server's connections.
END_CONNECTIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'both'
"""
END_WAITING = f"{END_CONNECTIONS} AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def hurt(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A server of one's own: what it logs of a fault is nobody else's error."""
    log = tmp_path_factory.mktemp("logs") / "hurt.log"
    settings = servers.environment(
        live_database, PGAPPNAME="both", **CHEAP_HASHING, **NO_LIMITS
    )
    with servers.server(settings, log=log) as url:
        yield Service(live_database, url, url, log)


def test_connections_that_end_between_calls_cost_nobody_an_answer(hurt: Service) -> None:
    device = sign_in(hurt.a, register(hurt.a))
    ended = 0
    for _ in range(ROUNDS):
        assert [me(hurt.a, device.access) for _ in range(THREADS)] == [200] * THREADS
        ended += len(hurt.sql(END_CONNECTIONS))
    assert ended >= ROUNDS
    assert me(hurt.a, device.access) == 200


def test_a_connection_that_ends_in_a_statement_costs_that_call_alone(
    hurt: Service,
) -> None:
    person = register(hurt.a)
    device = sign_in(hurt.a, person)
    change = Call(hurt.a, "PATCH", "/users/me", {"last_name": "King"}, device.access)
    with held(hurt, A_PERSON, person.id), queued(hurt, [change]) as [line]:
        assert len(hurt.sql(END_WAITING)) == 1
        refused = answer_on(line)
        assert (refused.status, refused.code) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert me(hurt.a, device.access) == 200
    assert at_once([change])[0].status == 200


def test_while_every_thread_waits_the_server_lives_and_refuses_in_time(
    hurt: Service,
) -> None:
    device: Pair = sign_in(hurt.a, register(hurt.a))
    reads = [Call(hurt.a, "GET", "/users/me", token=device.access)] * WAITING
    with held(hurt, EVERYBODY), sent(reads) as lines:
        wait_for_queue(hurt, THREADS)
        assert ask(hurt.a, "GET", "/health/live").status == 200
        refused = [answer_on(line) for line in lines]
    assert {(answer.status, answer.code) for answer in refused} == {(503, "unavailable")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert me(hurt.a, device.access) == 200
