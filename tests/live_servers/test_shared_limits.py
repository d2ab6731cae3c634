"""Counts are one, however many processes count and however often they start."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import servers
from tests.live_servers.calls import (
    PASSWORD,
    Answer,
    Call,
    Person,
    ask,
    at_once,
    credentials,
    register,
    sign_in,
)
from tests.live_servers.conftest import CHEAP_HASHING, Service

# Out of the way of what is counted here: passwords by account, and one limit a user.
LIMITS = "register=1000,login=1000,logout_all=1000,password=5"
WRONG = "walnut harbour sixteen lamps"


@pytest.fixture(scope="module")
def settings(live_database: str) -> dict[str, str]:
    return servers.environment(live_database, RATE_LIMITS=LIMITS, **CHEAP_HASHING)


@pytest.fixture(scope="module")
def counting(
    settings: dict[str, str], live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("logs") / "counting.log"
    with ExitStack() as stack:
        a, b = (stack.enter_context(servers.server(settings, log=log)) for _ in range(2))
        yield Service(live_database, a, b, log)


@pytest.fixture(autouse=True)
def nothing_counted(live_database: str) -> None:
    """As `fresh_counters` does in Redis."""
    servers.rows(live_database, "DELETE FROM limits_counter")


def empty_change(server: str, token: str) -> Answer:
    """Of a password: invalid, but a call like any other."""
    return ask(server, "PATCH", "/users/me/password", {}, token=token)


def guess(server: str, person: Person, password: str = WRONG) -> Answer:
    return ask(server, "POST", "/auth/login", credentials(person.email, password))


def test_a_limit_is_counted_across_both_servers(counting: Service) -> None:
    token = sign_in(counting.a, register(counting.a)).access
    answers = [empty_change(counting.servers[n % 2], token) for n in range(7)]
    assert [answer.status for answer in answers] == [422] * 5 + [429] * 2
    assert answers[-1].code == "too_many_requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_of_many_at_once_on_both_servers_no_more_than_the_limit_pass(
    counting: Service,
) -> None:
    token = sign_in(counting.a, register(counting.a)).access
    answers = at_once(
        [
            Call(counting.servers[n % 2], "PATCH", "/users/me/password", {}, token)
            for n in range(40)
        ]
    )
    statuses = [answer.status for answer in answers]
    assert (statuses.count(422), statuses.count(429)) == (5, 35)


def test_a_limit_reached_stands_after_a_restart(
    counting: Service, settings: dict[str, str]
) -> None:
    token = sign_in(counting.a, register(counting.a)).access
    with servers.server(settings) as first:
        assert [empty_change(first, token).status for _ in range(6)] == [422] * 5 + [429]
    with servers.server(settings) as second:
        assert empty_change(second, token).status == 429
        assert ask(second, "GET", "/users/me", token=token).status == 200


def test_wrong_passwords_are_counted_across_both_servers(counting: Service) -> None:
    person = register(counting.a)
    answers = [guess(counting.servers[n % 2], person) for n in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert answers[-1].code == "too_many_attempts"
    # No oracle: the right one is refused as well, on both.
    right = [guess(server, person, PASSWORD).status for server in counting.servers]
    assert right == [429, 429]
    assert counting.number(BLOCKED, person.email) == 1


BLOCKED = """
    SELECT count(*) FROM audit_event e JOIN accounts_user u ON u.id = e.target_id
    WHERE e.action = 'sign_in.blocked' AND u.email = ?
"""


def test_of_many_wrong_passwords_at_once_no_more_than_the_limit_are_tried(
    counting: Service,
) -> None:
    person = register(counting.a)
    login = ("POST", "/auth/login", credentials(person.email, WRONG))
    answers = at_once([Call(counting.servers[n % 2], *login) for n in range(25)])
    statuses = [answer.status for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 15)
    assert counting.number(BLOCKED, person.email) == 1


def test_a_device_goes_on_while_somebody_guesses(counting: Service) -> None:
    person = register(counting.a)
    token = sign_in(counting.b, person).access
    assert {guess(counting.a, person).status for _ in range(11)} == {401, 429}
    assert ask(counting.b, "GET", "/users/me", token=token).status == 200
