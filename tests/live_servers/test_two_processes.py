"""What one process does holds in the other with the next request."""

from collections.abc import Callable
from itertools import cycle

import pytest

from tests.live_servers.calls import (
    PASSWORD,
    Answer,
    Call,
    Pair,
    Person,
    ask,
    at_once,
    me,
    new_email,
    refresh,
    registration,
    sign_in,
)
from tests.live_servers.conftest import Service

NEW_PASSWORD = "walnut harbour sixteen lamps"
REGISTRATIONS = 100

# What is done on a server to somebody's device: by itself, by another device of the same
# person, or by a superuser.
Deed = Callable[[str, Person, Pair, Pair, str], Answer]


def log_out(server: str, who: Person, device: Pair, other: Pair, root: str) -> Answer:
    return ask(server, "POST", "/auth/logout", {}, token=device.access)


def log_out_from_another(
    server: str, who: Person, device: Pair, other: Pair, root: str
) -> Answer:
    body = {"refresh_token": device.refresh}
    return ask(server, "POST", "/auth/logout", body, token=other.access)


def log_out_everywhere(
    server: str, who: Person, device: Pair, other: Pair, root: str
) -> Answer:
    return ask(server, "POST", "/auth/logout-all", token=other.access)


def revoke(server: str, who: Person, device: Pair, other: Pair, root: str) -> Answer:
    listed = ask(server, "GET", "/sessions/me", token=device.access).json["sessions"]
    [current] = [session["id"] for session in listed if session["is_current"]]
    return ask(server, "DELETE", f"/sessions/{current}", token=other.access)


def revoke_others(
    server: str, who: Person, device: Pair, other: Pair, root: str
) -> Answer:
    return ask(server, "DELETE", "/sessions/me/others", token=other.access)


def change_password(
    server: str, who: Person, device: Pair, other: Pair, root: str
) -> Answer:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return ask(server, "PATCH", "/users/me/password", body, token=other.access)


def deactivate(server: str, who: Person, device: Pair, other: Pair, root: str) -> Answer:
    return ask(server, "PATCH", f"/users/{who.id}", {"is_active": False}, token=root)


def delete(server: str, who: Person, device: Pair, other: Pair, root: str) -> Answer:
    return ask(server, "DELETE", f"/users/{who.id}", token=root)


@pytest.mark.parametrize(
    "deed",
    [
        log_out,
        log_out_from_another,
        log_out_everywhere,
        revoke,
        revoke_others,
        change_password,
        deactivate,
        delete,
    ],
)
def test_a_device_signed_out_on_one_server_is_out_on_the_other(
    service: Service, root: Person, person: Person, deed: Deed
) -> None:
    device, other = sign_in(service.a, person), sign_in(service.b, person)
    superuser = sign_in(service.b, root).access
    assert me(service.b, device.access) == 200
    done = deed(service.a, person, device, other, superuser)
    assert done.status == 200, done.body
    assert me(service.b, device.access) == 401
    assert refresh(service.b, device.refresh).status == 401
    assert me(service.b, superuser) == 200


def test_a_session_ended_by_theft_on_one_server_is_out_on_the_other(
    service: Service, device: Pair
) -> None:
    second = Pair.of(refresh(service.a, device.refresh))
    third = Pair.of(refresh(service.b, second.refresh))
    # Two rotations old: no grace for it, however young.
    assert refresh(service.a, device.refresh).status == 401
    assert me(service.b, third.access) == 401
    assert refresh(service.b, third.refresh).status == 401


def test_letting_a_person_in_again_revives_none_of_their_devices(
    service: Service, root: Person, person: Person, device: Pair
) -> None:
    token = sign_in(service.a, root).access
    for active in (False, True):
        body = {"is_active": active}
        done = ask(service.a, "PATCH", f"/users/{person.id}", body, token=token)
        assert done.status == 200
    assert me(service.b, device.access) == 401
    assert refresh(service.b, device.refresh).status == 401
    assert me(service.b, sign_in(service.b, person).access) == 200


def test_a_right_lost_is_lost_on_both_servers_with_the_next_request(
    service: Service, root: Person
) -> None:
    token = sign_in(service.a, root).access
    assert ask(service.b, "GET", "/users", token=token).status == 200
    service.sql(
        "UPDATE accounts_user SET is_superuser = false WHERE email = ?", root.email
    )
    assert [ask(s, "GET", "/users", token=token).status for s in service.servers] == [
        403,
        403,
    ]


def test_the_successor_of_a_token_is_the_same_from_the_other_server(
    service: Service, device: Pair
) -> None:
    first = refresh(service.a, device.refresh).json
    again = refresh(service.b, device.refresh).json
    assert again["refresh_token"] == first["refresh_token"]
    assert again["user"] == first["user"]


def test_of_a_hundred_registrations_of_one_address_one_makes_an_account(
    service: Service,
) -> None:
    email = new_email()
    spellings = (email, email.title(), f" {email} ", email.upper())
    bodies = [registration(spelling) for spelling in spellings] * (REGISTRATIONS // 4)
    answers = at_once(
        [
            Call(server, "POST", "/auth/register", body)
            for server, body in zip(cycle(service.servers), bodies, strict=False)
        ]
    )
    refused = [answer for answer in answers if answer.status != 201]
    assert len(refused) == REGISTRATIONS - 1
    assert {(answer.status, answer.code) for answer in refused} == {
        (400, "registration_refused")
    }
    assert service.sql(ACCOUNTS, email) == [("user.registered",)]


# Of the address, whatever its spelling: a row for each account and each of its events.
ACCOUNTS = """
    SELECT e.action FROM accounts_user u LEFT JOIN audit_event e ON e.target_id = u.id
    WHERE u.email_key = ?
"""
