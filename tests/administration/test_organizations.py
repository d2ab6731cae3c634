"""Every organization and its members, as superusers manage them."""

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
from tests.organizations.cast import (
    Tenant,
    add_member,
    make_organization,
    make_tenant,
    role_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

PATH = "/admin/organizations"


def url(tenant: Tenant) -> str:
    return f"{PATH}/{tenant.organization.pk}"


def actions() -> list[str]:
    """What happened beyond signing in."""
    events = Event.objects.exclude(action="session.started").order_by("pk")
    return list(events.values_list("action", flat=True))


def listed(boss: Api, query: str = "") -> list[dict[str, Any]]:
    answer = boss.get(f"{PATH}?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    assert answer.json()["pagination"]["total"] == len(rows)
    return rows


# --- Lists -------------------------------------------------------------------------


def test_each_is_listed_with_its_members_and_the_callers_role(
    boss: Api, root: User, acme: Tenant
) -> None:
    add_member(acme.organization, is_active=False)
    gone = add_member(acme.organization)
    boss.delete(f"/admin/users/{gone.pk}")
    mine = make_organization("Mine")
    add_member(mine, Role.ADMIN, user=root)
    make_organization("Empty")
    shown = {row["slug"]: (row["member_count"], row["my_role"]) for row in listed(boss)}
    assert shown == {"acme": (3, None), "mine": (1, "admin"), "empty": (0, None)}
    assert boss.get(url(acme)).json() == listed(boss, "search=acme")[0]


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("", ["acme", "big-co", "off"]),
        ("is_active=true", ["acme", "big-co"]),
        ("is_active=false", ["off"]),
        ("search=BIG", ["big-co"]),
        ("search=l%C3%A0rge", ["big-co"]),
        ("search=-c", ["big-co"]),
        ("search=off&is_active=true", []),
        ("search=%25", []),
        ("search=_", []),
        ("search=", ["acme", "big-co", "off"]),
        ("sort_by=name&sort_order=desc", ["off", "big-co", "acme"]),
        ("sort_by=slug&sort_order=desc", ["off", "big-co", "acme"]),
        ("sort_order=desc", ["off", "big-co", "acme"]),
    ],
)
def test_filters_and_order(boss: Api, acme: Tenant, query: str, slugs: list[str]) -> None:
    make_organization("làrge", slug="big-co")
    make_organization("off", is_active=False)
    assert [row["slug"] for row in listed(boss, query)] == slugs


@pytest.mark.parametrize("sort_by", ["created_at", "name", "slug"])
def test_pages_repeat_and_drop_none(boss: Api, sort_by: str) -> None:
    for number in range(9):
        make_organization("Same", slug=f"same-{number}")
    query = f"{PATH}?limit=4&sort_by={sort_by}&page="
    pages = [boss.get(f"{query}{number}").json()["data"] for number in (1, 2, 3)]
    seen = [row["id"] for page in pages for row in page]
    assert len(seen) == len(set(seen)) == 9


def test_a_list_costs_three_statements_at_most(
    boss: Api, django_assert_num_queries: Any
) -> None:
    for limit, number in ((1, 3), (100, 2), (6, 3)):
        make_tenant(f"Number {limit}")
        with django_assert_num_queries(number):
            assert boss.get(f"{PATH}?limit={limit}").json()["data"]
        for more in range(5):
            make_tenant(f"More {limit} {more}")


# --- Founding ----------------------------------------------------------------------


def test_an_organization_is_founded_as_described(boss: Api, root: User) -> None:
    body = {"description": "D", "settings": {"a": [1, None]}, "is_active": False}
    answer = boss.post(PATH, {"name": " New ", "slug": "new", **body})
    assert answer.status_code == 201
    found = answer.json()
    assert {name: found[name] for name in body} == body
    assert (found["name"], found["slug"]) == ("New", "new")
    assert (found["member_count"], found["my_role"]) == (1, "owner")
    organization = Organization.objects.get(slug="new")
    assert role_of(organization, root) == Role.OWNER
    assert actions() == ["organization.created"]


def test_a_slug_is_made_from_the_name(boss: Api, acme: Tenant) -> None:
    slugs = [boss.post(PATH, {"name": "Acme!"}).json()["slug"] for _ in range(2)]
    assert all(slug.startswith("acme-") for slug in slugs)
    made = boss.post(PATH, {"name": "Ünï Cöde", "slug": None}).json()
    assert (made["slug"], made["is_active"]) == ("uni-code", True)


def test_a_taken_slug_is_a_conflict(boss: Api, acme: Tenant) -> None:
    refused(boss.post(PATH, {"name": "New", "slug": "acme"}), 409, "slug_taken")
    assert (Organization.objects.count(), Membership.objects.count()) == (1, 3)
    assert actions() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\0"}, "name"),
        ({"slug": "A"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"is_active": None}, "is_active"),
        ({"is_active": "maybe"}, "is_active"),
        ({"settings": []}, "settings"),
        ({"settings": None}, "settings"),
        ({"description": "x" * 2001}, "description"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_value_changes_nothing(
    boss: Api, acme: Tenant, method: str, change: dict[str, Any], field: str
) -> None:
    path = url(acme) if method == "PUT" else PATH
    body = {"name": "New", "slug": "new", "is_active": False}
    assert fields(boss.call(method, path, body | change)) == [field]
    assert Organization.objects.get().name == "Acme"
    assert actions() == []


# --- Changing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("name", " New ", "New"),
        ("slug", "new", "new"),
        ("description", "D", "D"),
        ("description", None, None),
        ("settings", {"a": 1}, {"a": 1}),
        ("is_active", False, False),
    ],
)
def test_each_field_changes_by_itself(
    boss: Api, acme: Tenant, field: str, value: Any, shown: Any
) -> None:
    Organization.objects.update(description="Old")
    old = boss.get(url(acme)).json()
    new = boss.put(url(acme), {field: value}).json()
    assert new[field] == shown
    assert {n for n in old if old[n] != new[n]} == {field, "updated_at"}
    assert boss.get(url(acme)).json() == new


def test_all_as_it_was_is_no_change(boss: Api, acme: Tenant) -> None:
    own = boss.get(url(acme)).json()
    assert boss.put(url(acme), own).json() == own
    assert boss.put(url(acme), {}).json() == own
    assert actions() == []


def test_closing_shuts_the_members_out_and_opening_lets_them_in(
    api: SignIn, boss: Api, acme: Tenant
) -> None:
    device = api(acme.owner)
    for active, status in ((False, 403), (True, 200)):
        assert boss.put(url(acme), {"is_active": active}).json()["is_active"] is active
        assert device.get(acme.url).status_code == status
    closed, _, opened = Event.objects.exclude(action="session.started").order_by("pk")
    assert (closed.action, opened.action) == (
        "organization.deactivated",
        "organization.activated",
    )


def test_a_taken_slug_takes_the_rest_back(boss: Api, acme: Tenant) -> None:
    make_organization("Other")
    body = {"name": "New", "slug": "other", "is_active": False}
    refused(boss.put(url(acme), body), 409, "slug_taken")
    row = Organization.objects.get(pk=acme.organization.pk)
    assert (row.name, row.slug, row.is_active) == ("Acme", "acme", True)
    assert actions() == []


def test_only_what_is_documented_is_written(boss: Api, acme: Tenant) -> None:
    sly = {"id": str(uuid4()), "created_at": "2020-01-01T00:00:00Z", "my_role": "owner"}
    before = boss.get(url(acme)).json()
    after = boss.put(url(acme), sly | {"member_count": 9, "owner": "x"}).json()
    assert after == before


# --- Deleting ----------------------------------------------------------------------


def test_a_deleted_one_is_gone_and_its_slug_free(
    api: SignIn, boss: Api, root: User, acme: Tenant
) -> None:
    answer = boss.delete(url(acme))
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    refused(boss.delete(url(acme)), 404, "not_found")
    refused(api(acme.owner).get(acme.url), 403, "not_a_member")
    assert not Membership.objects.exists()
    event = Event.objects.get(action="organization.deleted")
    assert (event.actor_id, event.target_label) == (root.pk, "acme")
    assert boss.post(PATH, {"name": "Acme", "slug": "acme"}).status_code == 201
    assert listed(boss)[0]["member_count"] == 1
