"""Many writers at once, on either engine (checks 249)."""

import pytest

from tests.live_servers.calls import Call, Pair, Person, at_once, register, sign_in
from tests.live_servers.conftest import Service

WRITERS = 50
ROUNDS = 4

EVENTS = """
    SELECT count(*) FROM audit_event e JOIN accounts_user u ON u.id = e.target_id
    WHERE e.action = 'user.updated' AND u.email = ?
"""


@pytest.fixture(scope="module")
def writers(both: Service) -> list[tuple[Person, Pair]]:
    people = [register(both.servers[n % 2]) for n in range(WRITERS)]
    return [(person, sign_in(both.a, person)) for person in people]


def test_fifty_writers_at_once_all_succeed(
    service: Service, writers: list[tuple[Person, Pair]]
) -> None:
    for round_number in range(ROUNDS):
        body = {"first_name": f"Ada {round_number}", "preferences": {"n": round_number}}
        answers = at_once(
            [
                Call(service.servers[n % 2], "PATCH", "/users/me", body, device.access)
                for n, (_, device) in enumerate(writers)
            ]
        )
        assert [answer.status for answer in answers] == [200] * WRITERS
    stored = "SELECT first_name FROM accounts_user WHERE email = ?"
    for person, _ in writers:
        assert service.sql(stored, person.email) == [(f"Ada {ROUNDS - 1}",)]
        assert service.number(EVENTS, person.email) == ROUNDS


def test_fifty_writers_of_one_row_all_succeed(
    service: Service, person: Person, device: Pair
) -> None:
    answers = at_once(
        [
            Call(
                service.servers[n % 2],
                "PATCH",
                "/users/me",
                {"last_name": f"{n}"},
                device.access,
            )
            for n in range(WRITERS)
        ]
    )
    assert [answer.status for answer in answers] == [200] * WRITERS
    assert service.number(EVENTS, person.email) == WRITERS


def test_sign_ins_at_once_keep_to_the_number_of_sessions(
    service: Service, person: Person
) -> None:
    body = {"email": person.email, "password": "plum otter canvas meadow"}
    answers = at_once(
        [
            Call(service.servers[n % 2], "POST", "/auth/login", body)
            for n in range(WRITERS)
        ]
    )
    assert [answer.status for answer in answers] == [200] * WRITERS
    pairs = [Pair.of(answer) for answer in answers]
    calls = [Call(service.b, "GET", "/users/me", token=pair.access) for pair in pairs]
    statuses = [answer.status for answer in at_once(calls)]
    assert (statuses.count(200), statuses.count(401)) == (20, WRITERS - 20)
