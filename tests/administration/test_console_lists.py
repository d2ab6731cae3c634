"""What the lists of the console cost where there are many rows, and what they find."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit import services as audit
from audit.models import Event, Outcome
from config import counting
from config.counting import Number
from config.lists import LISTED
from config.postgresql.statements import unprepared
from outbox.models import Mail
from sessions_app.models import EndReason, Session
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.outbox.letters import letter
from tests.plans import plans, postgresql, prefer_indexes

pytestmark = pytest.mark.django_db

PEOPLE, SESSIONS = "/admin/accounts/user/", "/admin/sessions_app/session/"
EVENTS, MAILS = "/admin/audit/event/", "/admin/outbox/mail/"
ROOMS = (
    PEOPLE,
    SESSIONS,
    EVENTS,
    MAILS,
    "/admin/organizations/organization/",
    "/admin/organizations/membership/",
    "/admin/organizations/invitation/",
)
CHOSEN = re.compile(r'name="_selected_action" value="([0-9a-f-]{36})"')
LINKED = re.compile(r'href="/admin/audit/event/([0-9a-f-]{36})/change/')
UNKNOWN = "3d1f7c52-6a0b-4e8e-9c1d-5b2f8a7e6d40"


@pytest.fixture
def console(console: Browser) -> Browser:
    Mail.objects.all().delete()  # of that sign-in
    return console


def rows_of(console: Browser, path: str) -> set[UUID]:
    page = console.get(path)
    assert page.status_code == 200
    found = LINKED if path.startswith(EVENTS) else CHOSEN
    return {UUID(pk) for pk in found.findall(page.text)}


# --- Costs -------------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("query", ["", "?q=alice@example.com", f"?q={UNKNOWN}", "?o=1"])
def test_no_list_counts_or_sorts_a_whole_table(
    console: Browser, alice: User, room: str, query: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert console.get(f"{room}{query}").status_code == 200
    asked = [query["sql"] for query in queries.captured_queries]
    counting = [sql for sql in asked if "COUNT(" in sql and "group" not in sql.lower()]
    assert len(counting) == 1
    assert f"LIMIT {LISTED + 1})" in counting[0]
    assert "ORDER BY" not in counting[0]


def test_more_people_than_are_counted_are_told_as_more(console: Browser) -> None:
    many = [
        User(email=f"p{n}@example.com", email_key=f"p{n}@example.com", first_name="P")
        for n in range(LISTED)
    ]
    User.objects.bulk_create(many)
    page = console.get(PEOPLE).text
    assert f"{LISTED}+" in page
    assert f"?p={LISTED // 50}" in page
    assert console.get(f"{PEOPLE}?p={LISTED // 50}").status_code == 200
    User.objects.filter(pk=many[0].pk).delete()
    assert f"{LISTED}+" not in console.get(PEOPLE).text


def test_a_list_is_sorted_by_what_it_declares_only(console: Browser) -> None:
    for name in ("b", "a", "c"):
        UserFactory.create(email=f"{name}@example.com")
    by_age = console.get(PEOPLE).text
    assert by_age.index("c@example.com") < by_age.index("a@example.com")
    by_address = console.get(f"{PEOPLE}?o=1").text
    assert CHOSEN.findall(by_address) == CHOSEN.findall(by_age)
    oldest_first = console.get(f"{PEOPLE}?o=6").text
    assert CHOSEN.findall(oldest_first) == CHOSEN.findall(by_age)[::-1]


# --- Numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (Number(0), "0"),
        (Number(9_999), "9,999"),
        (Number(10_000, "more than"), "more than 10,000"),
        (Number(120_000, "about"), "about 120,000"),
        (Number(9_800_000, "about"), "about 9.8 million"),
    ],
)
def test_a_number_says_how_exact_it_is(number: Number, told: str) -> None:
    assert str(number) == told


def test_beyond_the_bound_nothing_is_counted(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = User.objects.existing()
    assert counting.number_of(people) == Number(2)
    monkeypatch.setattr(counting, "BOUND", 1)
    monkeypatch.setattr(counting.bounded, "__defaults__", (1,))
    number = counting.number_of(people)
    assert number.word == ("about" if connection.vendor == "postgresql" else "more than")
    assert number.value >= 1


def test_the_console_prepares_no_statement(api: SignIn, root: User) -> None:
    """A plan for all values would look for the rare as for the common."""
    wire = connection.connection
    before = getattr(wire, "prepare_threshold", None)
    with unprepared():
        assert getattr(wire, "prepare_threshold", None) is None
    assert getattr(wire, "prepare_threshold", None) == before
    assert before is None or connection.vendor == "postgresql"


# --- Searching ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("alice", True),
        ("ALI", True),
        ("alice example", True),
        ("alice bob", False),
        ("ALICE@example.com", True),
        ("{alice}", True),
        ("al", False),
        ("%", False),
        (UNKNOWN, False),
    ],
)
def test_people_are_found_by_parts_of_their_names(
    console: Browser, alice: User, bob: User, query: str, found: bool
) -> None:
    shown = rows_of(console, f"{PEOPLE}?q={query.format(alice=alice.pk)}")
    assert shown == ({alice.pk} if found else set())


@pytest.fixture
def happened(alice: User, bob: User) -> dict[str, Event]:
    return {
        "done": audit.record("thing.done", actor=alice, target=bob),
        "suffered": audit.record(
            "thing.refused", actor=bob, target=alice, outcome=Outcome.DENIED
        ),
        "other": audit.record("thing.done", actor=bob, target=bob),
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=thing.refused", {"suffered"}),
        ("q=thing", set()),
        ("q=alice@example.com", {"done", "suffered"}),
        ("q={alice}", {"done", "suffered"}),
        ("q={request}", {"done"}),
        ("q={event}", {"other"}),
        ("q=nobody@example.com", set()),
        ("outcome__exact=denied", {"suffered"}),
    ],
)
def test_events_are_found_by_whole_words(
    console: Browser,
    happened: dict[str, Event],
    alice: User,
    query: str,
    names: set[str],
) -> None:
    other = happened["other"].pk
    asked = query.format(alice=alice.pk, request=UNKNOWN, event=other)
    if "request" in query:
        Event.objects.bulk_create([Event(action="asked.for", request_id=UNKNOWN)])
        assert len(rows_of(console, f"{EVENTS}?{asked}")) == 1
        return
    shown = rows_of(console, f"{EVENTS}?{asked}") & {e.pk for e in happened.values()}
    assert shown == {happened[name].pk for name in names}


@postgresql
def test_events_of_an_action_come_in_the_order_of_their_index(console: Browser) -> None:
    """However rare and old they are: without sorting, and without reading the others."""
    audit.record("thing.done")
    prefer_indexes()
    with plans('FROM "audit_event"') as found:
        assert "thing.done" in console.get(f"{EVENTS}?q=thing.done").text
    assert len(found) == 2
    for plan in found:
        assert "events_by_action" in plan, plan
        assert "Sort" not in plan


def test_mails_are_found_by_whom_they_are_to(console: Browser, alice: User) -> None:
    mine, other = letter("alice@example.com"), letter("bob@example.com")
    notice = letter("old@example.com")
    notice.person_id = alice.pk
    Mail.objects.bulk_create([mine, other, notice])
    assert rows_of(console, f"{MAILS}?q=ALICE@example.com") == {notice.pk}
    assert rows_of(console, f"{MAILS}?q=alice@example.com") == {mine.pk, notice.pk}
    assert rows_of(console, f"{MAILS}?q={alice.pk}") == {notice.pk}
    assert rows_of(console, f"{MAILS}?q={other.pk}") == {other.pk}
    assert rows_of(console, f"{MAILS}?q=bob@example.com") == {other.pk}
    assert rows_of(console, f"{MAILS}?q=bob") == set()


@pytest.fixture
def ended(api: SignIn) -> Callable[[User], Session]:
    def make(user: User) -> Session:
        session = api(user).session
        Session.objects.filter(pk=session.pk).update(
            ended_at=session.created_at, end_reason=EndReason.REUSE
        )
        return session

    return make


def test_sessions_are_filtered_by_their_end(
    console: Browser, api: SignIn, alice: User, ended: Callable[[User], Any]
) -> None:
    over, open_ = ended(alice), api(alice).session
    assert rows_of(console, f"{SESSIONS}?ended=yes") == {over.pk}
    assert rows_of(console, f"{SESSIONS}?ended=no") == {open_.pk}
    assert rows_of(console, f"{SESSIONS}?ended=nonsense") == {over.pk, open_.pk}
    assert rows_of(console, f"{SESSIONS}?end_reason__exact=reuse") == {over.pk}
