"""People and organizations on live servers, and what is stored of them."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import uuid4

from tests.live_servers.calls import (
    PASSWORD,
    Answer,
    Call,
    Pair,
    Person,
    ask,
    at_once,
    credentials,
    new_email,
    registration,
)
from tests.live_servers.conftest import Service

OUT = {"is_active": False}
# What a person calls to leave the service.
GO = ("DELETE", "/users/me", {"current_password": PASSWORD})
CLEAN = {200, 201, 401, 403, 404, 409}


@dataclass(frozen=True)
class Actor:
    """Somebody with a verified address, signed in."""

    id: str
    email: str
    token: str

    def call(self, server: str, method: str, path: str, body: Any = None) -> Call:
        return Call(server, method, path, body, self.token)

    def ask(self, server: str, method: str, path: str, body: Any = None) -> Answer:
        return ask(server, method, path, body, token=self.token)


def arrive(service: Service, number: int) -> list[Actor]:
    """All at once: a race has no need to wait for them."""
    forms = [registration(new_email()) for _ in range(number)]
    made = at_once([Call(service.b, "POST", "/auth/register", form) for form in forms])
    assert {answer.status for answer in made} == {201}
    marks = ", ".join("?" * number)
    service.sql(
        f"UPDATE accounts_user SET email_verified = true WHERE email IN ({marks})",  # noqa: S608  # question marks
        *(form["email"] for form in forms),
    )
    keys = [credentials(form["email"]) for form in forms]
    pairs = at_once([Call(service.a, "POST", "/auth/login", key) for key in keys])
    return [
        Actor(person.json["id"], person.json["email"], Pair.of(pair).access)
        for person, pair in zip(made, pairs, strict=True)
    ]


def superusers(service: Service, number: int) -> list[Actor]:
    """As many as there are then."""
    people = arrive(service, number)
    nobody_in_charge(service)
    for person in people:
        service.make_superuser(Person(person.id, person.email))
    return people


def nobody_in_charge(service: Service) -> None:
    service.sql("UPDATE accounts_user SET is_superuser = false")


def found(service: Service, owner: Actor, *others: Actor, role: str = "owner") -> str:
    """Its id. The others are let in with that role, by nobody."""
    answer = owner.ask(service.a, "POST", "/organizations", {"name": "Watched"})
    assert answer.status == 201, answer.body
    for other in others:
        let_in(service, answer.json["id"], other, role)
    return str(answer.json["id"])


def let_in(service: Service, organization: str, person: Actor, role: str) -> None:
    values = [key(service, name) for name in (str(uuid4()), organization, person.id)]
    service.sql(
        "INSERT INTO organizations_membership"
        " (id, organization_id, user_id, role, is_active, joined_at)"
        " VALUES (?, ?, ?, ?, true, CURRENT_TIMESTAMP)",
        *values,
        role,
    )


def invite(
    service: Service, by: Actor, organization: str, email: str, role: str = "member"
) -> tuple[str, str]:
    """Its id and token. The mail has another: this one is put in its place."""
    path, body = f"/organizations/{organization}/invitations", {"email": email}
    answer = by.ask(service.a, "POST", path, body | {"role": role})
    assert answer.status == 201, answer.body
    token = str(uuid4())
    service.sql(
        "UPDATE organizations_invitation SET token_digest = ? WHERE id = ?",
        sha256(token.encode()).hexdigest(),
        key(service, answer.json["id"]),
    )
    return answer.json["id"], token


def ascent(service: Service, way: str, organization: str, ada: Actor, eve: Actor) -> Call:
    """By which Eve becomes an owner of Ada's organization."""
    if way == "invitation":
        _, token = invite(service, ada, organization, eve.email, "owner")
        return eve.call(service.b, "POST", "/invitations/accept", {"token": token})
    let_in(service, organization, eve, "member")
    path = f"/organizations/{organization}/transfer-ownership"
    return ada.call(service.b, "POST", path, {"user_id": eve.id})


def key(service: Service, identifier: str) -> str:
    """As the database has it."""
    is_sqlite = service.database.startswith("sqlite")
    return identifier.replace("-", "") if is_sqlite else identifier


def roles(service: Service, organization: str) -> dict[str, str]:
    """Of its members by address, active or not."""
    rows = service.sql(
        "SELECT u.email, m.role FROM organizations_membership m"
        " JOIN accounts_user u ON u.id = m.user_id WHERE m.organization_id = ?",
        key(service, organization),
    )
    return dict(rows)


def events(service: Service, organization: str) -> Counter[str]:
    """How often what was done there."""
    rows = service.sql(
        "SELECT action, count(*) FROM audit_event WHERE organization_id = ?"
        " AND outcome = 'success' GROUP BY action",
        key(service, organization),
    )
    return Counter(dict(rows))


def roles_given(service: Service, organization: str) -> Counter[str]:
    """How often a member's role became which, as the events say."""
    rows = service.sql(
        "SELECT data->>'role', count(*) FROM audit_event WHERE organization_id = ?"
        " AND action = 'member.role_changed' GROUP BY 1",
        key(service, organization),
    )
    return Counter(dict(rows))


def events_about(service: Service, *people: Actor) -> Counter[str]:
    """How often what was done to them."""
    sql = "SELECT action FROM audit_event WHERE target_id = ?"
    rows = [row for p in people for row in service.sql(sql, key(service, p.id))]
    return Counter(action for (action,) in rows)
