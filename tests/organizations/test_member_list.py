"""The list of members: who is in it, as what, in which order."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from organizations.models import Membership
from organizations.roles import Role
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member

pytestmark = pytest.mark.django_db

COLUMNS = ["joined_at", "email", "first_name", "last_name", "role"]


def listed(api: SignIn, acme: Tenant, query: str = "") -> list[dict[str, Any]]:
    answer = api(acme.member).get(f"{acme.url}/members?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["first_name"] for row in rows]


@pytest.fixture
def crowd(acme: Tenant) -> Tenant:
    """Twelve active members in all, with ties in every column but the address, and
    one shut out.
    """
    for number in range(9):
        add_member(acme.organization, first_name=f"P{number % 3}", last_name="Same")
    add_member(acme.organization, first_name="Shut out", is_active=False)
    Membership.objects.filter(user__last_name="Same").update(joined_at=timezone.now())
    return acme


# --- What is shown -----------------------------------------------------------------


def test_a_member_is_shown_as_the_contract_has_it(api: SignIn, acme: Tenant) -> None:
    """Check 130: nothing else of a person is anybody's business here."""
    shown = {row["role"]: row for row in listed(api, acme)}
    membership = Membership.objects.get(user=acme.owner)
    joined_at = membership.joined_at.isoformat().replace("+00:00", "Z")
    assert list(shown) == ["owner", "admin", "member"]
    assert shown["owner"] == {
        "user_id": str(acme.owner.pk),
        "email": acme.owner.email,
        "first_name": "Acme owner",
        "last_name": None,
        "role": "owner",
        "is_active": True,
        "joined_at": joined_at,
    }


def test_a_list_and_a_change_show_a_member_alike(api: SignIn, acme: Tenant) -> None:
    User.objects.filter(pk=acme.member.pk).update(last_name="Liddell")
    one = api(acme.owner).patch(acme.member_url(acme.member), {}).json()
    assert one in listed(api, acme)


@pytest.mark.parametrize("who", ["anonymous", "stranger", "shut out"])
def test_members_see_each_other_and_nobody_else_does(
    api: SignIn, acme: Tenant, alice: User, who: str
) -> None:
    caller = {"anonymous": None, "stranger": alice}.get(who)
    if who == "shut out":
        caller = add_member(acme.organization, is_active=False)
    expected = (401, None) if caller is None else (403, "not_a_member")
    refused(api(caller).get(f"{acme.url}/members"), *expected)


def test_members_of_others_are_in_no_list(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    add_member(globex.organization, user=acme.member)
    assert names(listed(api, acme)) == ["Acme owner", "Acme admin", "Acme member"]
    assert len(listed(api, acme, "search=Globex")) == 0


def test_an_unknown_organization_is_told_to_superusers_only(
    api: SignIn, root: User, acme: Tenant
) -> None:
    assert len(api(root).get(f"{acme.url}/members").json()["data"]) == 3
    refused(api(root).get(f"/organizations/{uuid4()}/members"), 404, "not_found")


# --- Who counts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "counted", "shown"),
    [
        ({}, 3, 3),
        ({"is_active": False}, 3, 3),
        ({"leaving_since": "2026-01-01T00:00:00Z"}, 3, 3),
        ({"is_active": False, "deleted_at": "2026-01-01T00:00:00Z"}, 2, 2),
    ],
    ids=["present", "inactive", "leaving", "deleted"],
)
def test_deleted_people_are_in_no_list_and_no_count(
    api: SignIn, acme: Tenant, change: dict[str, Any], counted: int, shown: int
) -> None:
    User.objects.filter(pk=acme.admin.pk).update(**change)
    client = api(acme.owner)
    page = client.get(f"{acme.url}/members").json()
    assert len(page["data"]) == page["pagination"]["total"] == shown
    assert client.get(acme.url).json()["member_count"] == counted
    (own,) = client.get("/organizations/me").json()
    assert own["member_count"] == counted


def test_who_is_shut_out_is_in_the_other_list(api: SignIn, crowd: Tenant) -> None:
    assert len(listed(api, crowd)) == len(listed(api, crowd, "is_active=true")) == 12
    (row,) = listed(api, crowd, "is_active=false")
    assert (row["first_name"], row["is_active"]) == ("Shut out", False)
    assert api(crowd.owner).get(crowd.url).json()["member_count"] == 12


# --- Narrowed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("role=owner", 1),
        ("role=admin", 1),
        ("role=member", 10),
        ("role=member&is_active=false", 1),
        ("role=owner&is_active=false", 0),
        ("search=P1", 3),
        ("search=p1", 3),
        ("search=SAME", 9),
        ("search=acme%20owner", 1),
        ("search=%20P1%20", 3),
        ("search=EXAMPLE.com", 12),
        ("search=P1&role=owner", 0),
        ("search=Shut", 0),
        ("search=%25", 0),
        ("search=_", 0),
        ("search=P_", 0),
        ("search=%5C", 0),
        ("search=%27%20OR%201=1%20--", 0),
        ("search=", 12),
        ("search=" + "x" * 128, 0),
        ("unknown=1", 12),
    ],
)
def test_filters_narrow_the_list(
    api: SignIn, crowd: Tenant, query: str, number: int
) -> None:
    assert len(listed(api, crowd, query)) == number


@pytest.mark.parametrize("mark", ["%", "_", "\\"])
def test_a_wildcard_is_a_letter(api: SignIn, acme: Tenant, mark: str) -> None:
    add_member(acme.organization, first_name=f"a{mark}b")
    add_member(acme.organization, first_name="axb")
    answer = api(acme.member).get(f"{acme.url}/members", params={"search": f"a{mark}b"})
    assert names(answer.json()["data"]) == [f"a{mark}b"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=" + "9" * 30, "limit"),
        ("page=0", "page"),
        ("page=1000001", "page"),
        ("page=" + "9" * 30, "page"),
        ("sort_by=password", "sort_by"),
        ("sort_by=user__password", "sort_by"),
        ("sort_by=-email", "sort_by"),
        ("sort_by=", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("is_active=maybe", "is_active"),
        ("is_active=", "is_active"),
        ("role=boss", "role"),
        ("role=", "role"),
        ("role=OWNER", "role"),
        ("search=%00", "search"),
        ("search=" + "x" * 129, "search"),
        ("search=" + "x%20" * 3000, "search"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_query_is_told(api: SignIn, acme: Tenant, query: str, field: str) -> None:
    assert fields(api(acme.member).get(f"{acme.url}/members?{query}")) == [field]


# --- In order ----------------------------------------------------------------------


def test_a_page_says_where_it_stands(api: SignIn, crowd: Tenant) -> None:
    client = api(crowd.member)
    page = client.get(f"{crowd.url}/members?limit=5&page=3").json()
    assert page["pagination"] == {
        "total": 12,
        "page": 3,
        "page_size": 2,
        "total_pages": 3,
        "has_next": False,
        "has_prev": True,
    }
    beyond = client.get(f"{crowd.url}/members?limit=5&page=4")
    assert (beyond.status_code, beyond.json()["data"]) == (200, [])
    last = client.get(f"{crowd.url}/members?limit=100&page=1000000")
    assert (last.status_code, last.json()["data"]) == (200, [])


@pytest.mark.parametrize("sort_order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", COLUMNS)
def test_pages_repeat_and_drop_nobody(
    api: SignIn, crowd: Tenant, sort_by: str, sort_order: str
) -> None:
    client = api(crowd.member)
    query = f"sort_by={sort_by}&sort_order={sort_order}"
    pages = [
        client.get(f"{crowd.url}/members?limit=5&page={page}&{query}").json()["data"]
        for page in (1, 2, 3)
    ]
    rows = [row for page in pages for row in page]
    assert rows == listed(api, crowd, query)
    assert len({row["user_id"] for row in rows}) == len(rows) == 12
    values = [row[sort_by] or "" for row in rows]
    assert values == sorted(values, reverse=sort_order == "desc")


@pytest.mark.parametrize("sort_by", COLUMNS)
def test_the_other_way_round_is_the_same_backwards(
    api: SignIn, crowd: Tenant, sort_by: str
) -> None:
    forwards = listed(api, crowd, f"sort_by={sort_by}&sort_order=asc")
    backwards = listed(api, crowd, f"sort_by={sort_by}&sort_order=desc")
    assert forwards == backwards[::-1]


def test_who_joined_first_stands_first(api: SignIn, acme: Tenant) -> None:
    joined_at = timezone.now() - timedelta(days=400)
    late = add_member(acme.organization, Role.MEMBER, first_name="Old hand")
    Membership.objects.filter(user=late).update(joined_at=joined_at)
    assert names(listed(api, acme))[0] == "Old hand"
    assert names(listed(api, acme, "sort_order=desc"))[-1] == "Old hand"
