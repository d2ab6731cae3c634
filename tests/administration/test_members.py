"""Members, put into organizations and taken out by superusers."""

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations.models import Membership, Organization
from organizations.roles import Role
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.organizations.cast import Tenant, add_member, role_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]


def url(tenant: Tenant, person: User | None = None) -> str:
    one = f"/admin/organizations/{tenant.organization.pk}/members"
    return f"{one}/{person.pk}" if person else one


def member(person: Any, role: Any = "member") -> dict[str, Any]:
    return {"user_id": str(getattr(person, "pk", person)), "role": role}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Acme owner", "Acme admin", "Acme member"]),
        ("is_active=false", ["Out"]),
        ("role=owner", ["Acme owner"]),
        ("search=ADMIN", ["Acme admin"]),
        ("search=_", []),
        ("sort_by=first_name", ["Acme admin", "Acme member", "Acme owner"]),
        ("sort_order=desc", ["Acme member", "Acme admin", "Acme owner"]),
        ("limit=1&page=2", ["Acme admin"]),
    ],
)
def test_members_are_listed(
    boss: Api, acme: Tenant, query: str, names: list[str]
) -> None:
    add_member(acme.organization, is_active=False, first_name="Out")
    gone = UserFactory.create(is_active=False, deleted_at=timezone.now())
    add_member(acme.organization, user=gone)
    rows = boss.get(f"{url(acme)}?{query}").json()["data"]
    assert [row["first_name"] for row in rows] == names


def test_a_bad_query_is_told(boss: Api, acme: Tenant) -> None:
    assert fields(boss.get(f"{url(acme)}?role=king")) == ["role"]
    assert fields(boss.get(f"{url(acme)}?search=%00")) == ["search"]


@pytest.mark.parametrize("role", list(Role))
def test_a_person_becomes_a_member_at_once(
    api: SignIn, boss: Api, root: User, acme: Tenant, alice: User, role: Role
) -> None:
    answer = boss.post(url(acme), member(alice, role))
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    assert api(alice).get(acme.url).json()["my_role"] == role
    event = Event.objects.get(action="member.joined")
    assert (event.actor_id, event.target_id) == (root.pk, alice.pk)
    assert event.data == {"role": role, "as_superuser": True}


@pytest.mark.parametrize("is_active", [True, False])
def test_a_member_is_not_added_again(boss: Api, acme: Tenant, is_active: bool) -> None:
    Membership.objects.filter(user=acme.member).update(is_active=is_active)
    answer = boss.post(url(acme), member(acme.member, "owner"))
    refused(answer, 409, "already_member")
    assert role_of(acme.organization, acme.member) == Role.MEMBER
    assert not Event.objects.filter(action="member.joined").exists()


def test_only_who_is_there_and_let_in_is_added(
    boss: Api, acme: Tenant, alice: User, bob: User
) -> None:
    refused(boss.post(url(acme), member(uuid4())), 404, "not_found")
    boss.post(f"/admin/users/{alice.pk}/deactivate")
    refused(boss.post(url(acme), member(alice)), 409, "member_inactive")
    boss.delete(f"/admin/users/{alice.pk}")
    refused(boss.post(url(acme), member(alice)), 404, "not_found")
    User.objects.filter(pk=bob.pk).update(leaving_since=timezone.now())
    refused(boss.post(url(acme), member(bob)), 409, "member_inactive")
    assert acme.organization.memberships.count() == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "king"}, "role"),
        ({"role": "Owner"}, "role"),
        ({"role": None}, "role"),
        ({"role": []}, "role"),
        ({"user_id": "x"}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": []}, "user_id"),
    ],
)
def test_a_bad_value_adds_nobody(
    boss: Api, acme: Tenant, alice: User, change: dict[str, Any], field: str
) -> None:
    assert fields(boss.post(url(acme), member(alice) | change)) == [field]
    assert fields(boss.post(url(acme), {})) == ["role", "user_id"]
    assert role_of(acme.organization, alice) is None


def test_no_more_are_added_than_are_allowed(
    boss: Api, acme: Tenant, alice: User, settings: Settings
) -> None:
    settings.MEMBERS_PER_ORGANIZATION = 3
    refused(boss.post(url(acme), member(alice)), 409, "too_many_members")
    settings.MEMBERS_PER_ORGANIZATION, settings.ORGANIZATIONS_PER_USER = 4, 0
    refused(boss.post(url(acme), member(alice)), 409, "too_many_organizations")
    assert role_of(acme.organization, alice) is None


def test_somebody_is_added_to_a_closed_organization(
    api: SignIn, boss: Api, acme: Tenant, alice: User
) -> None:
    """The invariant is about owners: who is in it stays shut out till it opens."""
    Organization.objects.update(is_active=False)
    assert boss.post(url(acme), member(alice)).status_code == 200
    refused(api(alice).get(acme.url), 403, "not_a_member")


def test_a_member_is_removed_once(
    api: SignIn, boss: Api, root: User, acme: Tenant
) -> None:
    device = api(acme.member)
    answer = boss.delete(url(acme, acme.member))
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    refused(device.get(acme.url), 403, "not_a_member")
    assert device.get("/users/me").status_code == 200
    refused(boss.delete(url(acme, acme.member)), 404, "not_found")
    event = Event.objects.get(action="member.left")
    assert (event.actor_id, event.data["removed"]) == (root.pk, True)
    assert event.data["as_superuser"] is True


def test_who_comes_back_has_the_new_role_alone(
    api: SignIn, boss: Api, acme: Tenant
) -> None:
    """Check 125."""
    boss.delete(url(acme, acme.admin))
    assert boss.post(url(acme), member(acme.admin)).status_code == 200
    refused(api(acme.admin).get(f"{acme.url}/events"), 403, "role_too_low")


@pytest.mark.parametrize("who", ["stranger", "of another"])
def test_who_is_no_member_is_not_removed(
    boss: Api, acme: Tenant, alice: User, who: str
) -> None:
    if who == "of another":
        boss.post("/admin/organizations", {"name": "Other", "slug": "other"})
        add_member(Organization.objects.get(slug="other"), user=alice)
    refused(boss.delete(url(acme, alice)), 404, "not_found")
    assert not Event.objects.filter(action="member.left").exists()


def test_the_last_owner_stays(boss: Api, acme: Tenant) -> None:
    problem = refused(boss.delete(url(acme, acme.owner)), 409, "last_owner")
    one = {"id": str(acme.organization.pk), "name": "Acme", "slug": "acme"}
    assert problem["organizations"] == [one]
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    boss.post(url(acme), member(UserFactory.create(), "owner"))
    assert boss.delete(url(acme, acme.owner)).status_code == 200


def test_the_founder_may_go_once_there_is_another_owner(
    boss: Api, root: User, alice: User
) -> None:
    """How a superuser founds one for others."""
    one = boss.post("/admin/organizations", {"name": "New", "slug": "new"}).json()["id"]
    path = f"/admin/organizations/{one}/members"
    refused(boss.delete(f"{path}/{root.pk}"), 409, "last_owner")
    boss.post(path, member(alice, "owner"))
    assert boss.delete(f"{path}/{root.pk}").status_code == 200
    found = boss.get(f"/admin/organizations/{one}").json()
    assert (found["member_count"], found["my_role"]) == (1, None)
