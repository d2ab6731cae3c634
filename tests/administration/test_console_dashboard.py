"""The first page of the console: what it tells, how it draws it, and what that costs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from accounts.models import User
from audit.models import Event
from config import counting, stats
from config.charts import HEIGHT, WIDTH, Series, columns, rows
from config.counting import Number
from config.identifiers import first_id_at, new_id
from organizations.models import Membership
from outbox.models import Mail
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.organizations.cast import add_member, make_organization
from tests.outbox.letters import queue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
POSTGRESQL = connection.vendor == "postgresql"


def happened(action: str, *moments: datetime) -> None:
    Event.objects.bulk_create(
        Event(pk=first_id_at(moment), at=moment, action=action) for moment in moments
    )


# --- Figures -----------------------------------------------------------------------


def test_what_happened_is_told_by_day(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(created_at=NOW - timedelta(days=1))
    begun = NOW.replace(hour=0)
    happened("session.started", begun, begun + timedelta(hours=3))
    happened("session.started", begun - timedelta(milliseconds=1))
    happened("sign_in.failed", NOW - timedelta(minutes=1), NOW - timedelta(days=13))
    told = stats.dashboard(NOW)
    assert (told.days[0], told.days[-1]) == ("Feb 25", "Mar 10")
    assert [n.value for n in told.registrations] == [*[0] * 12, 1, 0]
    assert [n.value for n in told.sign_ins] == [*[0] * 12, 1, 2]
    assert [n.value for n in told.failures] == [1, *[0] * 12, 1]


def test_the_first_page_tells_what_there_is(
    console: Browser, api: SignIn, alice: User
) -> None:
    Mail.objects.all().delete()
    queue(3)
    api(alice)
    User.objects.filter(pk=UserFactory.create().pk).update(is_active=False)
    page = console.get("/admin/").text
    told = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page)
    assert dict(told) == {
        "People": "3",
        "Inactive, with deleted": "1",
        "Sessions now": "1",
        "Mails waiting": "3",
        "Mails given up": "0",
        "Database": "answers",
    } | ({"Cache": "answers"} if "Cache" in dict(told) else {})


def test_a_cache_that_does_not_answer_is_told(console: Browser, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = console.get("/admin/").text
    assert "<dt>Cache</dt><dd>does not answer</dd>" in page


def test_support_sees_the_figures_too(api: SignIn, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    browser = Browser(api())
    browser.sign_in(alice.email)
    assert "Registrations by day" in browser.get("/admin/").text


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Already three are more than are counted."""
    monkeypatch.setattr(counting, "BOUND", 2)
    monkeypatch.setattr(counting.bounded, "__defaults__", (2,))


def test_a_day_with_more_than_are_counted_is_sampled(few: None) -> None:
    day = NOW.replace(hour=0)
    # One in each thirty seconds.
    happened("session.started", *(day + timedelta(seconds=30 * n) for n in range(1440)))
    told = counting.number_within(
        Event.objects.filter(action="session.started"), day, day + timedelta(hours=12)
    )
    assert told.word == "about"
    assert 1300 <= told.value <= 1600


def test_largest_organizations_are_compared_exactly_while_they_are_few(
    alice: User,
) -> None:
    small, large = make_organization("Small"), make_organization("Large")
    add_member(small)
    add_member(large)
    add_member(large)
    add_member(large, is_active=False)
    told = stats.dashboard().largest
    assert told == [("Large", Number(2)), ("Small", Number(1))]


@pytest.mark.skipif(not POSTGRESQL, reason="only PostgreSQL keeps such statistics")
def test_largest_organizations_of_many_are_those_that_stand_out(few: None) -> None:
    large = make_organization("Large")
    for number in range(30):
        add_member(make_organization(f"Small {number}"))
        add_member(large)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE organizations_membership")
    name, members = stats.dashboard().largest[0]
    assert name == "Large"
    assert members.word == "about"
    assert counting.most_common(Membership, "nonsense") == []


@pytest.mark.skipif(POSTGRESQL, reason="PostgreSQL does")
def test_elsewhere_nothing_stands_out() -> None:
    assert counting.most_common(Membership, "organization_id") == []


def test_the_first_page_costs_as_much_for_fifty_as_for_one(console: Browser) -> None:
    counts = []
    for number in (1, 50):
        organizations = [make_organization(f"T {number} {n}") for n in range(number)]
        for organization in organizations:
            add_member(organization)
        with CaptureQueriesContext(connection) as queries:
            assert console.get("/admin/").status_code == 200
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1] < 70


def test_an_id_is_no_earlier_than_its_moment() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert first_id_at(before) <= made < first_id_at(before + timedelta(minutes=1))


# --- Drawing -----------------------------------------------------------------------


def numbers(*values: int) -> list[Number]:
    return [Number(value) for value in values]


def test_columns_are_as_tall_as_what_they_tell() -> None:
    chart = columns("c", "C", ["a", "b"], [Series("things", "first", numbers(1, 4))])
    low, high = chart.bars
    assert high.height == pytest.approx(4 * low.height, abs=0.5)
    assert low.y + low.height == pytest.approx(high.y + high.height, abs=0.2)
    assert high.says == "b: 4 things"
    assert chart.says == "The most things: 4 (b)."
    assert chart.table == [("a", numbers(1)), ("b", numbers(4))]


def test_every_column_stays_within_its_picture() -> None:
    labels = [str(n) for n in range(14)]
    series = [Series(kind, kind, numbers(*range(14))) for kind in ("first", "second")]
    chart = columns("c", "C", labels, series)
    assert len(chart.bars) == 28
    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH + 0.1
        assert 0 <= bar.y <= HEIGHT
    lefts = [bar.x for bar in chart.bars]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize("values", [(), (0,), (0, 0)])
def test_nothing_is_drawn_as_nothing(values: tuple[int, ...]) -> None:
    labels = [str(n) for n in range(len(values))]
    upright = columns("c", "C", labels, [Series("things", "first", numbers(*values))])
    lying = rows("r", "R", list(zip(labels, numbers(*values), strict=True)), "things")
    assert {bar.height for bar in upright.bars} <= {0}
    assert {bar.width for bar in lying.bars} <= {0}
    assert ("nothing to show" in lying.says) is (values == ())


def test_rows_are_as_long_as_what_they_tell() -> None:
    chart = rows("r", "R", [("x" * 90, Number(10)), ("b", Number(5))], "members")
    assert [bar.width for bar in chart.bars] == [WIDTH, WIDTH / 2]
    assert len(chart.labels[0].text) < 50
    assert chart.table[0][0] == "x" * 90


def test_a_chart_says_in_words_and_a_table_what_it_shows(console: Browser) -> None:
    organization = make_organization("<script>alert(1)</script>", slug="x")
    add_member(organization)
    page = console.get("/admin/").text
    assert page.count('role="img"') == page.count("<desc ") == page.count("<figure ") == 3
    assert page.count('<th scope="row">') == 14 * 2 + 1
    assert "<script>alert" not in page
    assert "style=" not in page
    assert "<style" not in page


# --- Rooms -------------------------------------------------------------------------


def test_there_is_no_room_that_is_not_ours(console: Browser) -> None:
    """Django's own for groups would call no service, and record nothing."""
    assert "/admin/auth/" not in console.get("/admin/").text
    assert console.get("/admin/auth/group/").status_code == 404
    assert console.post("/admin/auth/group/add/", {"name": "x"}).status_code == 404
    assert not Group.objects.exists()
    with pytest.raises(NoReverseMatch):
        reverse("admin:auth_group_add")
