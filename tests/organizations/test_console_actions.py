"""What a superuser does in the rooms for tenants: by the services, and on record."""

from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from accounts.errors import LastOwner
from accounts.models import User
from audit.models import Event
from organizations.models import Invitation, Membership, Organization
from organizations.roles import Role
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.organizations.cast import (
    Tenant,
    add_member,
    make_organization,
    role_of,
)
from tests.organizations.test_console import invite, room_url

pytestmark = pytest.mark.django_db


def act(console: Browser, action: str, *rows: Any, **form: str) -> str:
    """What the page says then."""
    room = room_url(rows[0]._meta.model_name)
    chosen = [str(row.pk) for row in rows]
    form = {"action": action, **form, **CONFIRMED}
    assert console.post(room, {**form, "_selected_action": chosen}).status_code == 302
    return unescape(console.get(room).text)


def seat_of(tenant: Tenant, person: User) -> Membership:
    return tenant.organization.memberships.get(user=person)


def events(**wanted: Any) -> list[Event]:
    """Of organizations, oldest first."""
    rows = Event.objects.exclude(organization_id=None)
    return list(rows.filter(**wanted).order_by("pk"))


# --- Organizations -----------------------------------------------------------------


def test_an_organization_is_shut_and_opened_again(
    console: Browser, api: SignIn, acme: Tenant, root: User
) -> None:
    device, organization = api(acme.owner), acme.organization
    assert "1 changed." in act(console, "deactivate", organization)
    assert device.get(acme.url).json()["errors"][0]["code"] == "not_a_member"
    assert "1 changed." in act(console, "activate", organization)
    assert device.get(acme.url).json()["is_active"] is True
    told = events()
    assert [event.action for event in told] == [
        "organization.deactivated",
        "organization.activated",
    ]
    for event in told:
        assert (event.actor_id, event.target_id) == (root.pk, organization.pk)
        assert event.organization_id == organization.pk
        assert event.data == {"as_superuser": True}


@pytest.mark.parametrize("action", ["activate", "deactivate", "delete_for_good"])
def test_of_several_organizations_each_is_on_record(
    console: Browser, action: str
) -> None:
    active = action == "deactivate"
    rows = [make_organization(f"Tenant {n}", is_active=active) for n in range(3)]
    kept = make_organization("Kept", is_active=active)
    assert "3 changed." in act(console, action, *rows)
    assert [event.target_id for event in events()] == [row.pk for row in rows]
    assert all(event.data["as_superuser"] for event in events())
    assert Organization.objects.filter(pk=kept.pk, is_active=active).exists()


def test_an_organization_that_is_so_already_is_left_alone(
    console: Browser, acme: Tenant
) -> None:
    before = list(Organization.objects.values())
    act(console, "activate", acme.organization)
    assert list(Organization.objects.values()) == before
    assert events() == []


def test_an_organization_is_deleted_with_members_and_invitations(
    console: Browser, api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    invite(acme, "dana@example.com")
    Organization.objects.filter(pk=acme.organization.pk).update(is_active=False)
    assert "1 changed." in act(console, "delete_for_good", acme.organization)
    assert list(Organization.objects.all()) == [globex.organization]
    assert not Invitation.objects.exists()
    assert Membership.objects.count() == 3
    assert User.objects.filter(pk=acme.owner.pk, is_active=True).exists()
    assert api(acme.owner).get(acme.url).status_code == 403
    (event,) = events()
    assert (event.action, event.target_label) == ("organization.deleted", "acme")
    assert event.data == {"name": "Acme", "as_superuser": True}


def test_an_organization_that_is_active_is_not_deleted(
    console: Browser, acme: Tenant, globex: Tenant
) -> None:
    Organization.objects.filter(pk=globex.organization.pk).update(is_active=False)
    rows = acme.organization, globex.organization
    told = act(console, "delete_for_good", *rows)
    assert "1 not deleted: deactivate them first." in told
    assert "1 changed." in told
    assert list(Organization.objects.all()) == [acme.organization]
    assert [event.target_id for event in events()] == [globex.organization.pk]


def test_all_that_a_search_found_can_be_chosen(
    console: Browser, acme: Tenant, globex: Tenant
) -> None:
    path = f"{room_url('organization')}?q=acme"
    form = {"action": "deactivate", "select_across": "1", **CONFIRMED}
    chosen = [str(acme.organization.pk)]
    console.post(path, {**form, "_selected_action": chosen})
    active = Organization.objects.filter(is_active=True)
    assert list(active) == [globex.organization]


# --- Memberships -------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.MEMBER])
def test_a_role_is_given(
    console: Browser, api: SignIn, acme: Tenant, root: User, role: Role
) -> None:
    was = Role.ADMIN if role == Role.MEMBER else Role.MEMBER
    person = acme.admin if role == Role.MEMBER else acme.member
    assert "1 changed." in act(console, f"make_{role}", seat_of(acme, person))
    assert role_of(acme.organization, person) == role
    assert api(person).get(acme.url).json()["my_role"] == role
    (event,) = events()
    assert (event.action, event.actor_id) == ("member.role_changed", root.pk)
    assert (event.target_id, event.target_type) == (person.pk, "user")
    said = {"role": role, "previous_role": was, "as_superuser": True}
    assert event.data == said


def test_a_member_is_shut_out_and_let_in_again(
    console: Browser, api: SignIn, acme: Tenant
) -> None:
    device, seat = api(acme.member), seat_of(acme, acme.member)
    assert "1 changed." in act(console, "deactivate", seat)
    assert device.get(acme.url).status_code == 403
    assert "1 changed." in act(console, "activate", seat)
    assert device.get(acme.url).status_code == 200
    actions = ["member.deactivated", "member.activated"]
    assert [event.action for event in events()] == actions
    expected = {"as_superuser": True, "role": "member"}
    assert all(event.data == expected for event in events())


def test_a_member_is_removed(console: Browser, api: SignIn, acme: Tenant) -> None:
    assert "1 changed." in act(console, "remove", seat_of(acme, acme.member))
    assert role_of(acme.organization, acme.member) is None
    assert api(acme.member).get(acme.url).status_code == 403
    (event,) = events()
    assert event.action == "member.left"
    assert event.data == {"role": "member", "removed": True, "as_superuser": True}


@pytest.mark.parametrize("action", ["make_admin", "make_member", "deactivate", "remove"])
def test_the_last_owner_stays_and_the_rest_is_done(
    console: Browser, acme: Tenant, globex: Tenant, action: str
) -> None:
    add_member(globex.organization, Role.OWNER)
    last, other = seat_of(acme, acme.owner), seat_of(globex, globex.owner)
    told = act(console, action, last, other)
    assert LastOwner.message in told
    assert "1 changed." in told
    assert seat_of(acme, acme.owner).is_active
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    assert [event.target_id for event in events()] == [globex.owner.pk]


@pytest.mark.parametrize("action", ["make_admin", "make_member", "deactivate", "remove"])
def test_of_two_owners_one_stays(console: Browser, acme: Tenant, action: str) -> None:
    second = add_member(acme.organization, Role.OWNER)
    told = act(console, action, seat_of(acme, acme.owner), seat_of(acme, second))
    assert LastOwner.message in told
    assert "1 changed." in told
    owning = acme.organization.memberships.owning().get()
    assert owning.user == second
    assert len(events()) == 1


def test_a_reason_is_told_once_and_how_often(
    console: Browser, acme: Tenant, globex: Tenant
) -> None:
    rows = [seat_of(acme, acme.owner), seat_of(globex, globex.owner)]
    told = act(console, "remove", *rows)
    assert told.count(LastOwner.message) == 1
    assert f"{LastOwner.message} (2)" in told
    assert " changed." not in told


@pytest.mark.parametrize("lost", ["is_active", "leaving_since"])
def test_an_owner_who_is_out_is_no_owner_to_rely_upon(
    console: Browser, acme: Tenant, lost: str
) -> None:
    out = add_member(acme.organization, Role.OWNER)
    value = False if lost == "is_active" else timezone.now()
    User.objects.filter(pk=out.pk).update(**{lost: value})
    assert LastOwner.message in act(console, "remove", seat_of(acme, acme.owner))
    assert role_of(acme.organization, acme.owner) == Role.OWNER
    assert events() == []


@pytest.mark.parametrize(
    ("action", "who"),
    [
        ("make_owner", "owner"),
        ("make_admin", "admin"),
        ("make_member", "member"),
        ("activate", "member"),
    ],
)
def test_a_member_who_is_so_already_is_left_alone(
    console: Browser, acme: Tenant, action: str, who: str
) -> None:
    before = list(Membership.objects.order_by("pk").values())
    act(console, action, seat_of(acme, getattr(acme, who)))
    assert list(Membership.objects.order_by("pk").values()) == before
    assert events() == []


def test_members_of_several_organizations_are_on_record_in_their_own(
    console: Browser, acme: Tenant, globex: Tenant
) -> None:
    rows = [seat_of(acme, acme.member), seat_of(globex, globex.member)]
    assert "2 changed." in act(console, "make_admin", *rows)
    places = [(event.organization_id, event.target_id) for event in events()]
    assert places == [(row.organization_id, row.user_id) for row in rows]


def test_members_of_a_shut_organization_are_changed_too(
    console: Browser, acme: Tenant
) -> None:
    Organization.objects.update(is_active=False)
    assert "1 changed." in act(console, "make_owner", seat_of(acme, acme.member))
    assert role_of(acme.organization, acme.member) == Role.OWNER


@pytest.mark.parametrize(
    ("role", "active", "said"),
    [
        (Role.OWNER, True, False),
        (Role.OWNER, False, True),
        (Role.ADMIN, True, True),
        (Role.MEMBER, True, True),
    ],
)
def test_a_right_that_is_one_s_own_as_owner_is_not_a_superuser_s(
    console: Browser, acme: Tenant, root: User, role: Role, active: bool, said: bool
) -> None:
    add_member(acme.organization, role, user=root)
    Organization.objects.update(is_active=active)
    act(console, "make_admin", seat_of(acme, acme.member))
    (event,) = events()
    assert event.data.get("as_superuser", False) is said
