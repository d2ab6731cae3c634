"""The figures of the service: right, by days of UTC, and in a few statements."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import User
from organizations.models import Membership, Organization
from organizations.roles import Role
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import UserFactory, make_superuser
from tests.organizations.cast import add_member, make_organization

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("no_limits", "own_clock"),
]

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
SHAPE = {
    "user_growth": {"date", "total_users", "active_users"},
    "organization_distribution": {"name", "value"},
    "registration_activity": {"date", "registrations"},
    "user_status": {"name", "value"},
}


def stats(api: SignIn, *, at: datetime = NOW) -> dict[str, Any]:
    """As they are then. The caller was there long before."""
    with time_machine.travel(at, tick=False):
        root = User.objects.filter(is_superuser=True).first() or make_superuser(
            email="root@example.com", created_at=NOW - timedelta(days=400)
        )
        answer = api(root).get("/admin/stats")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def arrive(when: datetime, **extra: Any) -> User:
    return UserFactory.create(created_at=when, **extra)


def days(number: int, last: datetime = NOW) -> list[str]:
    """Their names, oldest first. English, for the C locale of the tests."""
    return [f"{last - timedelta(days=n):%b %d}" for n in reversed(range(number))]


def test_an_empty_service_has_all_its_days(api: SignIn) -> None:
    body = stats(api)
    assert body.keys() == SHAPE.keys()
    for name, members in SHAPE.items():
        assert all(row.keys() == members for row in body[name])
    assert body["user_growth"] == [
        {"date": day, "total_users": 1, "active_users": 1} for day in days(30)
    ]
    assert body["registration_activity"] == [
        {"date": day, "registrations": 0} for day in days(14)
    ]
    assert body["organization_distribution"] == []
    assert body["user_status"] == [
        {"name": "Active", "value": 1},
        {"name": "Inactive", "value": 0},
    ]


def test_forty_days_of_arrivals_are_counted_by_day(api: SignIn) -> None:
    """One a day, every fourth of whom is inactive, every eighth deleted."""
    for age in range(40):
        when = NOW - timedelta(days=age)
        gone = when if age % 8 == 1 else None
        arrive(when, is_active=age % 4 != 1, deleted_at=gone)
    body = stats(api)
    there = [age for age in range(40) if age % 8 != 1]
    active = [age for age in there if age % 4 != 1]
    assert [(r["total_users"], r["active_users"]) for r in body["user_growth"]] == [
        (1 + sum(a >= age for a in there), 1 + sum(a >= age for a in active))
        for age in reversed(range(30))
    ]
    registrations = [row["registrations"] for row in body["registration_activity"]]
    assert registrations == [int(age in there) for age in reversed(range(14))]
    values = [row["value"] for row in body["user_status"]]
    assert values == [1 + len(active), len(there) - len(active)]


@pytest.mark.parametrize("month", range(1, 13))
def test_days_are_written_in_english(api: SignIn, month: int) -> None:
    """Across the ends of months and of the year."""
    at = datetime(2025, month, 3, 23, 59, 59, tzinfo=UTC)
    body = stats(api, at=at)
    names = [row["date"] for row in body["registration_activity"]]
    assert names == days(14, last=at)
    months = [
        *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ]
    assert names[-1] == f"{months[month - 1]} 03"


def test_a_day_begins_and_ends_at_midnight_of_utc(api: SignIn) -> None:
    for moment in (MIDNIGHT, MIDNIGHT + timedelta(hours=11)):
        arrive(moment)
    arrive(MIDNIGHT - timedelta(microseconds=1))
    body = stats(api)
    last_two = [row["registrations"] for row in body["registration_activity"][-2:]]
    assert last_two == [1, 2]
    assert [row["total_users"] for row in body["user_growth"][-3:]] == [1, 2, 4]


@pytest.mark.parametrize("days_ago", [13, 14, 29, 30])
def test_the_windows_end_where_they_should(api: SignIn, days_ago: int) -> None:
    """The first day of a window counts from its first instant."""
    arrive(MIDNIGHT - timedelta(days=days_ago))
    body = stats(api)
    registrations = [row["registrations"] for row in body["registration_activity"]]
    assert registrations == [int(days_ago == 13), *[0] * 13]
    totals = [row["total_users"] for row in body["user_growth"]]
    assert totals == [2 if n <= days_ago else 1 for n in reversed(range(30))]


def test_the_six_largest_organizations_are_named(api: SignIn) -> None:
    for number in range(8):
        organization = make_organization(f"Of {number}")
        for _ in range(number):
            add_member(organization, created_at=NOW)
        add_member(organization, is_active=False, created_at=NOW)
    assert stats(api)["organization_distribution"] == [
        {"name": f"Of {number}", "value": number} for number in (7, 6, 5, 4, 3, 2)
    ]


def test_a_deleted_member_counts_nowhere(api: SignIn) -> None:
    """As in the organization's own `member_count`."""
    organization = make_organization("Acme")
    for _ in range(2):
        add_member(organization, Role.OWNER, created_at=NOW)
    gone = Membership.objects.latest("pk").user
    User.objects.filter(pk=gone.pk).update(is_active=False, deleted_at=NOW)
    assert Organization.objects.get().member_count == 1
    assert stats(api)["organization_distribution"] == [{"name": "Acme", "value": 1}]


def test_no_size_makes_it_dearer(api: SignIn, django_assert_num_queries: Any) -> None:
    """Authentication's statement and three more."""
    for number in (1, 20):
        for n in range(number):
            organization = make_organization(f"Of {number} {n}")
            arrive(NOW - timedelta(days=n))
            add_member(organization, created_at=NOW - timedelta(days=n))
        client = api(User.objects.filter(is_superuser=True).first() or make_superuser())
        with django_assert_num_queries(4):
            client.get("/admin/stats")


def test_figures_follow_what_is_done(boss: Api, alice: User) -> None:
    def status() -> list[int]:
        body = boss.get("/admin/stats").json()
        assert body["user_growth"][-1]["total_users"] == sum(
            row["value"] for row in body["user_status"]
        )
        return [row["value"] for row in body["user_status"]]

    assert status() == [2, 0]
    boss.post(f"/admin/users/{alice.pk}/deactivate")
    assert status() == [1, 1]
    boss.delete(f"/admin/users/{alice.pk}")
    assert status() == [1, 0]
