"""Members changed and removed: by whom, and what it does at once."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from audit.models import Event
from organizations.models import Invitation, Membership
from organizations.roles import Role
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import (
    ROLES,
    Tenant,
    add_member,
    invitation_token,
    role_of,
)
from tests.organizations.test_founding import recorded

pytestmark = pytest.mark.django_db

LOW, HIGH, NOBODY = "role_too_low", "role_too_high", "not_a_member"
CALLERS = ["anonymous", "stranger", "member", "admin", "owner", "root"]
#            target:   member, admin, owner
TOUCH: dict[str, tuple[str, str, str]] = {
    "anonymous": ("not_authenticated",) * 3,
    "stranger": (NOBODY,) * 3,
    "member": (LOW,) * 3,
    "admin": ("", "", HIGH),
    "owner": ("",) * 3,
    "root": ("",) * 3,
}
# Which of those who touch a member also make an owner of one.
MAKES_OWNERS = {"owner", "root"}
STATUS = {"": 200, "not_authenticated": 401}
DEEDS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "make member": ("PATCH", {"role": "member"}),
    "make admin": ("PATCH", {"role": "admin"}),
    "make owner": ("PATCH", {"role": "owner"}),
    "shut out": ("PATCH", {"is_active": False}),
    "let in": ("PATCH", {"is_active": True}),
    "nothing": ("PATCH", {}),
    "remove": ("DELETE", None),
}


@pytest.fixture
def cast(acme: Tenant, alice: User, root: User) -> dict[str, User | None]:
    own = {"member": acme.member, "admin": acme.admin, "owner": acme.owner}
    return {"anonymous": None, "stranger": alice, "root": root, **own}


def state() -> list[Any]:
    return list(Membership.objects.order_by("pk").values())


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("target", [0, 1, 2], ids=["member", "admin", "owner"])
@pytest.mark.parametrize("who", CALLERS)
def test_who_touches_whom(
    api: SignIn,
    acme: Tenant,
    cast: dict[str, User | None],
    who: str,
    target: int,
    deed: str,
) -> None:
    """Check 114. The target is another of that role; an owner always stays."""
    other = add_member(acme.organization, (Role.MEMBER, Role.ADMIN, Role.OWNER)[target])
    before = state()
    method, body = DEEDS[deed]
    answer = api(cast[who]).call(method, acme.member_url(other), body)
    code = TOUCH[who][target]
    if not code and deed == "make owner" and who not in MAKES_OWNERS:
        code = HIGH
    if code:
        refused(answer, STATUS.get(code, 403), code)
        assert state() == before
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("who", ["unknown", "stranger", "of another", "deleted"])
def test_who_is_no_member_is_not_found(
    api: SignIn, acme: Tenant, globex: Tenant, alice: User, method: str, who: str
) -> None:
    person = {"stranger": alice.pk, "of another": globex.member.pk}.get(who, uuid4())
    if who == "deleted":
        person = add_member(acme.organization).pk
        gone = {"is_active": False, "deleted_at": "2026-01-01T00:00:00Z"}
        User.objects.filter(pk=person).update(**gone)
    answer = api(acme.owner).call(method, f"{acme.url}/members/{person}", {})
    refused(answer, 404, "not_found")
    assert role_of(globex.organization, globex.member) == Role.MEMBER


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_given_and_that_is_recorded(
    api: SignIn, acme: Tenant, role: Role
) -> None:
    previous = Role.ADMIN if role == Role.MEMBER else Role.MEMBER
    person = add_member(acme.organization, previous)
    answer = api(acme.owner).patch(acme.member_url(person), {"role": role})
    assert (answer.status_code, answer.json()["role"]) == (200, role)
    assert role_of(acme.organization, person) == role
    event = Event.objects.get(organization_id=acme.organization.pk)
    assert event.action == "member.role_changed"
    assert (event.actor_id, event.target_id) == (acme.owner.pk, person.pk)
    assert event.target_label == person.email
    assert event.data == {"role": role, "previous_role": previous}


def test_shutting_out_and_letting_in_may_be_repeated(api: SignIn, acme: Tenant) -> None:
    admin, member = api(acme.admin), api(acme.member)
    for active in (True, False, False, True, True):
        answer = admin.patch(acme.member_url(acme.member), {"is_active": active})
        assert (answer.status_code, answer.json()["is_active"]) == (200, active)
        assert member.get(acme.url).status_code == (200 if active else 403)
    happened = ["member.deactivated", "member.activated"]
    assert recorded(acme.organization.pk)[-2:] == happened
    changes = Event.objects.filter(target_id=acme.member.pk)
    assert changes.count() == 2


def test_role_and_activity_change_together_or_not_at_all(
    api: SignIn, acme: Tenant
) -> None:
    url = acme.member_url(acme.member)
    both = {"role": "owner", "is_active": False}
    refused(api(acme.admin).patch(url, both), 403, HIGH)
    assert recorded(acme.organization.pk) == ["access.denied"]
    shown = api(acme.owner).patch(url, both).json()
    assert (shown["role"], shown["is_active"]) == ("owner", False)
    happened = ["member.role_changed", "member.deactivated"]
    assert recorded(acme.organization.pk)[1:] == happened


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "boss"}, "role"),
        ({"role": "OWNER"}, "role"),
        ({"role": None}, "role"),
        ({"role": ""}, "role"),
        ({"role": ["owner"]}, "role"),
        ({"role": {}}, "role"),
        ({"is_active": None}, "is_active"),
        ({"is_active": "perhaps"}, "is_active"),
        ({"is_active": []}, "is_active"),
        ({"is_active": 2}, "is_active"),
        ({"role": "admin", "is_active": None}, "is_active"),
    ],
)
def test_a_bad_value_changes_nothing(
    api: SignIn, acme: Tenant, body: dict[str, Any], field: str
) -> None:
    answer = api(acme.owner).patch(acme.member_url(acme.member), body)
    assert fields(answer) == [field]
    assert role_of(acme.organization, acme.member) == Role.MEMBER
    assert recorded(acme.organization.pk) == []


@pytest.mark.parametrize("body", [None, {}, {"role": "member"}, {"email": "x@y.zz"}])
def test_a_change_of_nothing_is_none(
    api: SignIn, acme: Tenant, body: dict[str, str] | None
) -> None:
    answer = api(acme.owner).patch(acme.member_url(acme.member), body)
    assert (answer.status_code, answer.json()["email"]) == (200, acme.member.email)
    assert recorded(acme.organization.pk) == []


# --- Removed -----------------------------------------------------------------------


def test_who_is_removed_is_out_at_once(api: SignIn, acme: Tenant) -> None:
    admin, member = api(acme.admin), api(acme.member)
    url = acme.member_url(acme.member)
    assert admin.delete(url).status_code == 200
    refused(member.get(acme.url), 403, NOBODY)
    assert member.get("/organizations/me").json() == []
    refused(admin.delete(url), 404, "not_found")
    event = Event.objects.get(action="member.left")
    assert (event.actor_id, event.target_id) == (acme.admin.pk, acme.member.pk)
    assert event.data == {"role": "member", "removed": True}


def test_who_is_shut_out_can_still_be_removed(api: SignIn, acme: Tenant) -> None:
    person = add_member(acme.organization, Role.OWNER, is_active=False)
    refused(api(acme.admin).delete(acme.member_url(person)), 403, HIGH)
    assert api(acme.owner).delete(acme.member_url(person)).status_code == 200
    assert role_of(acme.organization, person) is None


def test_an_admin_gives_up_the_role_or_goes(api: SignIn, acme: Tenant) -> None:
    other = add_member(acme.organization, Role.ADMIN)
    client = api(acme.admin)
    assert client.delete(acme.member_url(acme.admin)).status_code == 200
    assert Event.objects.get(action="member.left").data["removed"] is False
    client, url = api(other), acme.member_url(other)
    refused(client.patch(url, {"role": "owner"}), 403, HIGH)
    assert client.patch(url, {"role": "member"}).json()["role"] == "member"
    refused(client.patch(url, {"role": "admin"}), 403, LOW)


def test_a_role_lost_acts_on_the_next_call(api: SignIn, acme: Tenant) -> None:
    """Check 116, with the token that was there before."""
    owner, admin = api(acme.owner), api(acme.admin)
    assert admin.get(f"{acme.url}/events").status_code == 200
    owner.patch(acme.member_url(acme.admin), {"role": "member"})
    refused(admin.get(f"{acme.url}/events"), 403, LOW)
    refused(admin.delete(acme.member_url(acme.member)), 403, LOW)
    assert admin.get(acme.url).json()["my_role"] == "member"
    owner.patch(acme.member_url(acme.admin), {"role": "owner"})
    assert admin.get(f"{acme.url}/capabilities").json()["role"] == "owner"


def test_an_admin_who_comes_again_as_a_member_is_one(api: SignIn, acme: Tenant) -> None:
    """Check 125."""
    owner, person = api(acme.owner), api(acme.admin)
    owner.delete(acme.member_url(acme.admin))
    invitation = {"email": acme.admin.email, "role": "member"}
    assert owner.post(f"{acme.url}/invitations", invitation).status_code == 201
    token = {"token": invitation_token(acme.admin.email)}
    assert person.post("/invitations/accept", token).status_code == 200
    assert person.get(acme.url).json()["my_role"] == "member"
    for path in ("/events", "/invitations"):
        refused(person.get(acme.url + path), 403, LOW)
    refused(person.patch(acme.member_url(acme.member), {"role": "member"}), 403, LOW)
    assert acme.organization.memberships.filter(user=acme.admin).count() == 1


@pytest.mark.parametrize("own_role", [None, *ROLES])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_superuser_acts_as_an_owner_and_the_event_says_so(
    api: SignIn, acme: Tenant, root: User, own_role: Role | None, method: str
) -> None:
    if own_role:
        add_member(acme.organization, own_role, user=root)
    person = add_member(acme.organization, Role.OWNER)
    url = acme.member_url(person)
    assert api(root).call(method, url, {"role": "member"}).status_code == 200
    event = Event.objects.get(organization_id=acme.organization.pk)
    assert event.data.get("as_superuser", False) is (own_role != Role.OWNER)
    assert role_of(acme.organization, root) == own_role


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_changes_are_thirty_a_minute(api: SignIn, acme: Tenant, method: str) -> None:
    client, url = api(acme.owner), f"{acme.url}/members/{uuid4()}"
    assert {client.call(method, url).status_code for _ in range(30)} == {404}
    refused(client.call(method, url), 429, "too_many_requests")


@pytest.mark.parametrize("way", ["removed", "left", "shut out", "demoted"])
def test_what_somebody_sent_goes_with_the_right_to_send_it(
    api: SignIn, acme: Tenant, way: str
) -> None:
    """Check 125: else it would come back to life with the right."""
    body = {"email": "dana@example.com", "role": "member"}
    assert api(acme.admin).post(f"{acme.url}/invitations", body).status_code == 201
    owner, admin = api(acme.owner), acme.member_url(acme.admin)
    answer = {
        "removed": lambda: owner.delete(admin),
        "left": lambda: api(acme.admin).post(f"{acme.url}/leave"),
        "shut out": lambda: owner.patch(admin, {"is_active": False}),
        "demoted": lambda: owner.patch(admin, {"role": "member"}),
    }[way]()
    assert answer.status_code == 200
    assert Invitation.objects.get().status == "revoked"
    assert Event.objects.filter(action="invitation.revoked").count() == 1
