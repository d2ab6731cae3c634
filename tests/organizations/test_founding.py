"""Organizations themselves: founded, found, listed, deleted."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations.models import Invitation, Membership, Organization
from organizations.roles import Role
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import (
    Tenant,
    add_member,
    invitation_token,
    make_organization,
    make_tenant,
    role_of,
)

pytestmark = pytest.mark.django_db


def recorded(organization_id: UUID | str) -> list[str]:
    """What happened in this organization, oldest first."""
    events = Event.objects.filter(organization_id=organization_id).order_by("pk")
    return list(events.values_list("action", flat=True))


def test_whoever_founds_an_organization_owns_it(api: SignIn, alice: User) -> None:
    answer = api(alice).post("/organizations", {"name": " Acme Works "})
    assert answer.status_code == 201
    body = answer.json()
    organization = Organization.objects.get(pk=body["id"])
    assert body == {
        "id": str(organization.pk),
        "name": "Acme Works",
        "slug": "acme-works",
        "description": None,
        "is_active": True,
        "settings": {},
        "created_at": body["created_at"],
        "updated_at": None,
        "member_count": 1,
        "my_role": "owner",
    }
    assert role_of(organization, alice) == Role.OWNER
    event = Event.objects.get(action="organization.created")
    assert (event.actor_id, event.organization_id) == (alice.pk, organization.pk)


def test_what_is_named_is_kept_and_the_rest_is_ignored(
    api: SignIn, alice: User, bob: User
) -> None:
    named = {
        "name": "Acme",
        "slug": "acme-2",
        "description": "Two\nlines",
        "settings": {"deep": {"list": [1, None, True, "ü"]}},
    }
    extra = {
        "id": str(uuid4()),
        "is_active": False,
        "created_at": "2001-01-01T00:00:00Z",
        "member_count": 9,
        "my_role": "member",
        "owner": str(bob.pk),
        "members": [str(bob.pk)],
    }
    answer = api(alice).post("/organizations", named | extra)
    assert answer.status_code == 201
    body = answer.json()
    assert {name: body[name] for name in named} == named
    assert body["is_active"] is True
    assert (body["member_count"], body["my_role"]) == (1, "owner")
    assert body["id"] != extra["id"]
    assert not body["created_at"].startswith("2001")
    assert Membership.objects.get().user_id == alice.pk


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        " \t" + "x" * 255 + "\n ",
        "\U0001f600" * 255,
        "e" + "\u0301" * 254,
        "\u202eAcme\u200b",
        "' OR 1=1 --",
        "<script>{{ 7*7 }}</script>",
    ],
    ids=["long", "trimmed", "emoji", "combining", "reversed", "quotes", "markup"],
)
def test_a_name_is_kept_as_it_is(api: SignIn, alice: User, name: str) -> None:
    answer = api(alice).post("/organizations", {"name": name})
    assert (answer.status_code, answer.json()["name"]) == (201, name.strip())
    assert Organization.objects.get().name == name.strip()


BAD: dict[str, list[object]] = {
    "name": [None, "", " \t\n ", "x" * 256, "\U0001f600" * 256, [], {}, True]
    + [f"a{control}b" for control in "\0\t\n\x1b\x7f\x85"],
    "description": ["x" * 2001, "a\0b", []],
    "settings": [None, [], "x", 5, {"a": "\0"}, {"\0": 1}],
}
BAD_VALUES = [(field, value) for field, values in BAD.items() for value in values]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_nothing_is_founded_on_a_bad_value(
    api: SignIn, alice: User, field: str, value: object
) -> None:
    answer = api(alice).post("/organizations", {"name": "Acme", field: value})
    assert fields(answer)[0].startswith(field)
    assert not Organization.objects.exists()
    assert not Event.objects.filter(action="organization.created").exists()


@pytest.mark.parametrize("body", [{}, {"slug": "acme"}])
def test_an_organization_needs_a_name(
    api: SignIn, alice: User, body: dict[str, str]
) -> None:
    assert fields(api(alice).post("/organizations", body)) == ["name"]


@pytest.mark.parametrize("body", [[], "x", 5, True])
def test_a_body_is_an_object(api: SignIn, alice: User, body: object) -> None:
    assert api(alice).post("/organizations", body).status_code == 422
    assert not Organization.objects.exists()


def test_only_who_is_signed_in_founds_and_ten_a_minute(api: SignIn, alice: User) -> None:
    refused(api().post("/organizations", {"name": "Acme"}), 401)
    client = api(alice)
    calls = [client.post("/organizations", {"name": "Acme"}) for _ in range(11)]
    assert [answer.status_code for answer in calls] == [201] * 10 + [429]
    assert Organization.objects.count() == 10


@pytest.mark.parametrize("is_active", [True, False])
def test_a_person_belongs_to_so_many_and_no_more(
    api: SignIn, alice: User, settings: Settings, is_active: bool
) -> None:
    settings.ORGANIZATIONS_PER_USER = 2
    add_member(make_organization("Other"), user=alice, is_active=is_active)
    client = api(alice)
    assert client.post("/organizations", {"name": "First"}).status_code == 201
    answer = client.post("/organizations", {"name": "Second"})
    refused(answer, 409, "too_many_organizations")
    assert not Organization.objects.filter(name="Second").exists()
    assert Event.objects.filter(action="organization.created").count() == 1


# --- Found -------------------------------------------------------------------------


def test_an_organization_is_found_by_id_and_by_slug(api: SignIn, acme: Tenant) -> None:
    client = api(acme.member)
    by_id = client.get(acme.url)
    assert by_id.status_code == 200
    assert by_id.json() == client.get("/organizations/acme").json()
    assert (by_id.json()["my_role"], by_id.json()["member_count"]) == ("member", 3)


def test_what_one_is_no_member_of_looks_like_what_is_not_there(
    api: SignIn, alice: User, acme: Tenant
) -> None:
    shut_out = make_organization("Shut out")
    add_member(shut_out, Role.OWNER, user=alice, is_active=False)
    asleep = make_organization("Asleep", is_active=False)
    add_member(asleep, Role.OWNER, user=alice)
    client = api(alice)
    addresses = [uuid4(), acme.organization.pk, "acme", "shut-out", asleep.pk, "a--b"]
    answers = [client.get(f"/organizations/{address}") for address in addresses]
    bodies = [refused(answer, 403, "not_a_member") for answer in answers]
    assert all(body | {"instance": ""} == bodies[0] | {"instance": ""} for body in bodies)


def test_a_superuser_is_told_what_is_not_there(
    api: SignIn, root: User, acme: Tenant
) -> None:
    client = api(root)
    assert client.get(acme.url).json()["my_role"] is None
    for address in (uuid4(), "unknown"):
        refused(client.get(f"/organizations/{address}"), 404, "not_found")


@pytest.mark.parametrize(
    "address",
    ["ACME", "acme%0a", "acme%00", "a_b", "x" * 256, "%7bacme%7d", "acme/", "ac%20me"],
)
def test_what_can_be_no_address_is_not_found(
    api: SignIn, acme: Tenant, address: str
) -> None:
    refused(api(acme.owner).get(f"/organizations/{address}"), 404, "not_found")


# --- One's own ---------------------------------------------------------------------


def mine(api: SignIn, person: User, query: str = "") -> list[dict[str, Any]]:
    answer = api(person).get(f"/organizations/me{query}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def test_ones_own_are_listed_by_name_as_each_is_shown(api: SignIn, alice: User) -> None:
    make_tenant("Not mine")
    for name, role in (("Beta", Role.ADMIN), ("Alpha", Role.MEMBER)):
        add_member(make_tenant(name).organization, role, user=alice)
    older = add_member(make_organization("Alpha", slug="alpha-2"), user=alice)
    found = mine(api, older)
    assert [one["slug"] for one in found] == ["alpha", "alpha-2", "beta"]
    assert [one["my_role"] for one in found] == ["member", "member", "admin"]
    assert [one["member_count"] for one in found] == [4, 1, 4]
    client = api(alice)
    assert found == [client.get(f"/organizations/{one['id']}").json() for one in found]


def test_who_is_shut_out_sees_which_it_is_and_nothing_in_it(
    api: SignIn, alice: User
) -> None:
    kept: dict[str, Any] = {"description": "Secret", "settings": {"key": "secret"}}
    organization = make_tenant("Acme", **kept).organization
    add_member(organization, Role.ADMIN, user=alice, is_active=False)
    assert mine(api, alice) == mine(api, alice, "?is_active=true") == []
    (shown,) = mine(api, alice, "?is_active=false")
    assert (shown["id"], shown["name"]) == (str(organization.pk), "Acme")
    assert (shown["description"], shown["settings"]) == (None, {})
    assert shown["member_count"] == 0


@pytest.mark.parametrize("is_active", ["true", "false"])
def test_an_inactive_organization_is_in_no_list_of_ones_own(
    api: SignIn, alice: User, is_active: str
) -> None:
    asleep = make_organization("Asleep", is_active=False)
    add_member(asleep, Role.OWNER, user=alice, is_active=is_active == "true")
    assert mine(api, alice, f"?is_active={is_active}") == []


def test_a_superusers_own_are_those_of_a_member(
    api: SignIn, root: User, acme: Tenant, globex: Tenant
) -> None:
    add_member(acme.organization, Role.ADMIN, user=root)
    assert [(o["slug"], o["my_role"]) for o in mine(api, root)] == [("acme", "admin")]


@pytest.mark.parametrize("query", ["maybe", "", "2"])
def test_activity_is_yes_or_no(api: SignIn, alice: User, query: str) -> None:
    answer = api(alice).get(f"/organizations/me?is_active={query}")
    assert fields(answer) == ["is_active"]


# --- Deleted -----------------------------------------------------------------------


def test_a_deleted_organization_is_gone_at_once_but_for_what_happened(
    api: SignIn, acme: Tenant, root: User
) -> None:
    owner, member, boss = api(acme.owner), api(acme.member), api(root)
    before = recorded(acme.organization.pk)
    assert owner.delete(acme.url).status_code == 200
    for client in (owner, member):
        refused(client.get(acme.url), 403, "not_a_member")
    refused(owner.delete(acme.url), 403, "not_a_member")
    refused(boss.delete(acme.url), 404, "not_found")
    refused(boss.get(f"{acme.url}/events"), 404, "not_found")
    assert not Membership.objects.exists()
    assert recorded(acme.organization.pk) == [*before, "organization.deleted"]
    event = Event.objects.get(action="organization.deleted")
    assert (event.target_label, event.data["name"]) == ("acme", "Acme")
    assert event.actor_id == acme.owner.pk


def test_a_new_one_at_the_slug_revives_nothing(
    api: SignIn, acme: Tenant, alice: User
) -> None:
    owner = api(acme.owner)
    invited = {"email": alice.email, "role": "admin"}
    assert owner.post(f"{acme.url}/invitations", invited).status_code == 201
    token = {"token": invitation_token(alice.email)}
    assert owner.delete(acme.url).status_code == 200
    assert not Invitation.objects.exists()
    body = owner.post("/organizations", {"name": "Acme", "slug": "acme"}).json()
    assert (body["member_count"], body["my_role"]) == (1, "owner")
    refused(api(acme.admin).get("/organizations/acme"), 403, "not_a_member")
    refused(api().post("/invitations/preview", token), 404, "invitation_invalid")
    refused(api(alice).post("/invitations/accept", token), 404, "invitation_invalid")
    assert recorded(body["id"]) == ["organization.created"]
