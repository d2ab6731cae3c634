"""Leaving an organization, and handing it over."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from audit.models import Event
from organizations.models import Membership, Organization
from organizations.roles import Role
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import ROLES, Tenant, add_member, role_of
from tests.organizations.test_founding import recorded

pytestmark = pytest.mark.django_db

CALLS = ["leave", "transfer-ownership"]


def transfer(client: Api, acme: Tenant, user_id: object) -> Any:
    return client.post(f"{acme.url}/transfer-ownership", {"user_id": str(user_id)})


# --- Leaving -----------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_whoever_leaves_is_out_at_once(api: SignIn, acme: Tenant, role: Role) -> None:
    person = add_member(acme.organization, role)
    client = api(person)
    answer = client.post(f"{acme.url}/leave")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    for again in (client.get(acme.url), client.post(f"{acme.url}/leave")):
        refused(again, 403, "not_a_member")
    assert role_of(acme.organization, person) is None
    event = Event.objects.get(action="member.left")
    assert (event.actor_id, event.target_id) == (person.pk, person.pk)
    assert event.data == {"role": role, "removed": False}


def test_what_is_in_the_body_is_nobody_elses_leaving(api: SignIn, acme: Tenant) -> None:
    body = {"user_id": str(acme.admin.pk)}
    assert api(acme.member).post(f"{acme.url}/leave", body).status_code == 200
    assert role_of(acme.organization, acme.admin) == Role.ADMIN
    assert role_of(acme.organization, acme.member) is None


def test_a_superuser_leaves_only_where_a_member(
    api: SignIn, acme: Tenant, root: User
) -> None:
    client = api(root)
    refused(client.post(f"{acme.url}/leave"), 403, "not_a_member")
    add_member(acme.organization, Role.MEMBER, user=root)
    assert client.post(f"{acme.url}/leave").status_code == 200
    assert Event.objects.get(action="member.left").data["as_superuser"] is True
    refused(client.post(f"/organizations/{uuid4()}/leave"), 404, "not_found")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("who", ["anonymous", "stranger", "shut out", "asleep"])
def test_who_is_no_member_neither_leaves_nor_hands_over(
    api: SignIn, acme: Tenant, alice: User, call: str, who: str
) -> None:
    caller = {"anonymous": None, "stranger": alice, "asleep": acme.owner}.get(who)
    if who == "shut out":
        caller = add_member(acme.organization, Role.OWNER, is_active=False)
    if who == "asleep":
        Organization.objects.update(is_active=False)
    expected = (401, None) if caller is None else (403, "not_a_member")
    body = {"user_id": str(acme.member.pk)}
    refused(api(caller).post(f"{acme.url}/{call}", body), *expected)
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    assert role_of(acme.organization, acme.member) == Role.MEMBER


@pytest.mark.parametrize(("call", "limit"), [("leave", 10), ("transfer-ownership", 5)])
def test_neither_is_tried_without_end(
    api: SignIn, acme: Tenant, call: str, limit: int
) -> None:
    client = api(acme.owner)
    calls = [client.post(f"{acme.url}/{call}").status_code for _ in range(limit + 1)]
    assert calls == [409 if call == "leave" else 422] * limit + [429]


# --- Handing over ------------------------------------------------------------------


@pytest.mark.parametrize("successor", ["admin", "member"])
def test_an_organization_is_handed_over(
    api: SignIn, acme: Tenant, successor: str
) -> None:
    person: User = getattr(acme, successor)
    owner = api(acme.owner)
    assert transfer(owner, acme, person.pk).status_code == 200
    assert role_of(acme.organization, person) == Role.OWNER
    assert role_of(acme.organization, acme.owner) == Role.ADMIN
    refused(transfer(owner, acme, acme.owner.pk), 403, "role_too_low")
    refused(owner.delete(acme.url), 403, "role_too_low")
    assert api(person).get(acme.url).json()["my_role"] == "owner"
    happened = ["member.role_changed"] * 2 + ["ownership.transferred"]
    assert recorded(acme.organization.pk)[:3] == happened
    event = Event.objects.get(action="ownership.transferred")
    assert (event.actor_id, event.target_id) == (acme.owner.pk, person.pk)


def test_an_owner_may_hand_over_to_another_owner(api: SignIn, acme: Tenant) -> None:
    second = add_member(acme.organization, Role.OWNER)
    assert transfer(api(acme.owner), acme, second.pk).status_code == 200
    assert role_of(acme.organization, second) == Role.OWNER
    assert role_of(acme.organization, acme.owner) == Role.ADMIN
    changed = Event.objects.get(action="member.role_changed")
    assert changed.target_id == acme.owner.pk


@pytest.mark.parametrize("who", ["admin", "member"])
def test_only_an_owner_hands_over(api: SignIn, acme: Tenant, who: str) -> None:
    """Check 114: neither to oneself nor to another."""
    person: User = getattr(acme, who)
    for successor in (person, acme.owner, acme.member):
        answer = transfer(api(person), acme, successor.pk)
        assert refused(answer, 403, "role_too_low")["needs"] == "owner"
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    assert role_of(acme.organization, person) == Role(who)


@pytest.mark.parametrize(
    ("successor", "status", "code"),
    [
        ("oneself", 409, "already_owner"),
        ("shut out", 409, "member_inactive"),
        ("inactive", 409, "member_inactive"),
        ("leaving", 409, "member_inactive"),
        ("deleted", 404, "not_found"),
        ("stranger", 404, "not_found"),
        ("of another", 404, "not_found"),
        ("unknown", 404, "not_found"),
    ],
)
def test_nobody_unable_to_own_takes_over(
    api: SignIn, acme: Tenant, globex: Tenant, successor: str, status: int, code: str
) -> None:
    """Check 123."""
    person = add_member(acme.organization, is_active=successor != "shut out")
    changes: dict[str, dict[str, Any]] = {
        "inactive": {"is_active": False},
        "leaving": {"leaving_since": "2026-01-01T00:00:00Z"},
        "deleted": {"is_active": False, "deleted_at": "2026-01-01T00:00:00Z"},
    }
    User.objects.filter(pk=person.pk).update(**changes.get(successor, {"locale": "en"}))
    others = {"oneself": acme.owner, "of another": globex.owner, "unknown": None}
    if successor == "stranger":
        Membership.objects.filter(user=person).delete()
    chosen = others.get(successor, person)
    answer = transfer(api(acme.owner), acme, chosen.pk if chosen else uuid4())
    refused(answer, status, code)
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    assert role_of(acme.organization, person) in {Role.MEMBER, None}
    assert recorded(acme.organization.pk) == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"user_id": None},
        {"user_id": ""},
        {"user_id": "abc"},
        {"user_id": []},
        {"user_id": {}},
        {"user_id": "\0"},
        {"user_id": -1},
        {"user_id": 1 << 200},
        {"email": "a@b.cc"},
    ],
)
def test_a_successor_is_named_by_id(api: SignIn, acme: Tenant, body: Any) -> None:
    answer = api(acme.owner).post(f"{acme.url}/transfer-ownership", body)
    assert fields(answer) == ["user_id"]
    assert role_of(acme.organization, acme.owner) == Role.OWNER


@pytest.mark.parametrize("own_role", [None, *ROLES])
def test_a_superuser_makes_an_owner_and_unmakes_none_but_oneself(
    api: SignIn, acme: Tenant, root: User, own_role: Role | None
) -> None:
    if own_role:
        add_member(acme.organization, own_role, user=root)
    assert transfer(api(root), acme, acme.member.pk).status_code == 200
    assert role_of(acme.organization, acme.member) == Role.OWNER
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    after = Role.ADMIN if own_role == Role.OWNER else own_role
    assert role_of(acme.organization, root) == after
    event = Event.objects.get(action="ownership.transferred")
    assert event.data.get("as_superuser", False) is (own_role != Role.OWNER)


def test_an_owner_hands_over_and_leaves(api: SignIn, acme: Tenant) -> None:
    owner = api(acme.owner)
    refused(owner.post(f"{acme.url}/leave"), 409, "last_owner")
    assert transfer(owner, acme, acme.member.pk).status_code == 200
    assert owner.post(f"{acme.url}/leave").status_code == 200
    assert Membership.objects.owning().get().user_id == acme.member.pk
