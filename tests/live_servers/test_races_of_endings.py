"""Who shuts out whom at one instant, and what is left of it (S10, S11)."""

import pytest

from tests.live_servers.calls import (
    PASSWORD,
    Answer,
    Call,
    Pair,
    Person,
    at_once,
    credentials,
    register,
    sign_in,
)
from tests.live_servers.conftest import Service

DUELS = 10
STORMS = 8
NEW_PASSWORD = "walnut harbour sixteen lamps"
OUT = {"is_active": False}


def superusers(service: Service, number: int) -> list[Person]:
    """As many as there are then."""
    service.sql("UPDATE accounts_user SET is_superuser = false")
    people = [register(service.a) for _ in range(number)]
    for person in people:
        service.make_superuser(person)
    return people


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_superusers_who_shut_out_the_next_one_all_at_once_leave_one(
    service: Service, number: int, method: str
) -> None:
    for _ in range(DUELS):
        people = superusers(service, number)
        tokens = [sign_in(service.a, person).access for person in people]
        answers = at_once(
            [
                Call(service.servers[n % 2], method, f"/users/{other.id}", OUT, token)
                for n, (other, token) in enumerate(
                    zip(people[1:] + people[:1], tokens, strict=True)
                )
            ]
        )
        # Out already, or out by the time that the lock was theirs.
        assert {answer.status for answer in answers} <= {200, 401, 403}
        gone = sum(answer.status == 200 for answer in answers)
        assert 1 <= service.number(ACTIVE) == number - gone < number


ACTIVE = "SELECT count(*) FROM accounts_user WHERE is_superuser AND is_active"


def storm(service: Service, person: Person, devices: list[Pair]) -> list[Call]:
    """A change of password and a logout everywhere among refreshes and sign-ins."""
    changer, leaver, *others = devices
    passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    around = [
        Call(service.servers[n % 2], "POST", "/auth/refresh", {"refresh_token": token})
        for n, token in enumerate([other.refresh for other in others] * 16)
    ]
    around[5::5] = [
        Call(call.server, "POST", "/auth/login", credentials(person.email))
        for call in around[5::5]
    ]
    return [
        *around[:20],
        Call(service.a, "PATCH", "/users/me/password", passwords, changer.access),
        *around[20:24],
        Call(service.b, "POST", "/auth/logout-all", token=leaver.access),
        *around[24:],
    ]


def accepted(service: Service, pairs: list[Pair]) -> list[Pair]:
    """Those of which either token is still worth something, on either server."""
    calls = [Call(service.a, "GET", "/users/me", token=pair.access) for pair in pairs]
    calls += [
        Call(service.b, "POST", "/auth/refresh", {"refresh_token": pair.refresh})
        for pair in pairs
    ]
    alive = [answer.status != 401 for answer in at_once(calls)]
    by_access, by_refresh = alive[: len(pairs)], alive[len(pairs) :]
    assert by_access == by_refresh
    return [pair for pair, works in zip(pairs, by_access, strict=True) if works]


def test_after_a_new_password_and_a_logout_everywhere_no_older_token_works(
    service: Service,
) -> None:
    for _ in range(STORMS):
        person = register(service.a)
        devices = [sign_in(service.servers[n % 2], person) for n in range(5)]
        calls = storm(service, person, devices)
        answers = at_once(calls)
        assert {answer.status for answer in answers} <= {200, 401}
        won = {c.path: a.status == 200 for c, a in zip(calls, answers, strict=True)}
        changed, left = won["/users/me/password"], won["/auth/logout-all"]
        assert changed or left
        issued = {path: issued_by(path, calls, answers) for path in won}
        # The one device that a change of password spares, unless it left as well.
        spared = [] if left else devices[:1]
        older = [*devices, *issued["/auth/refresh"]]
        older += issued["/auth/login"] if changed else []
        assert accepted(service, older) == spared
        assert service.number(INCONSISTENT, person.email) == 0


INCONSISTENT = """
    SELECT count(*) FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE u.email = ? AND s.ended_at IS NULL AND s.epoch <> u.session_epoch
"""


def issued_by(path: str, calls: list[Call], answers: list[Answer]) -> list[Pair]:
    return [
        Pair.of(answer)
        for call, answer in zip(calls, answers, strict=True)
        if call.path == path and "refresh_token" in answer.json
    ]
