"""The whole log: page by page, narrowed, and as a file."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from audit import services as audit
from audit.models import Event, Outcome
from config.sheets import BATCH
from tests.administration.shapes import EVENT
from tests.client import Api
from tests.config.refusals import fields
from tests.conftest import SignIn
from tests.organizations.cast import Tenant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

PATH = "/admin/events"
SIGN_IN = 1  # The event of the caller's own.


def many(number: int, **extra: Any) -> list[str]:
    """Their ids, newest first."""
    made = Event.objects.bulk_create(
        Event(action="thing.done", **extra) for _ in range(number)
    )
    return sorted((str(event.pk) for event in made), reverse=True)


def read(boss: Api, query: str = "") -> list[dict[str, Any]]:
    answer = boss.get(f"{PATH}?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def walk(boss: Api, query: str) -> list[list[str]]:
    """The ids on each page, up to the last."""
    pages, cursor = [], ""
    while cursor is not None:
        body = boss.get(f"{PATH}?{query}{cursor and f'&cursor={cursor}'}").json()
        pages.append(ids(body["data"]))
        cursor = body["next_cursor"]
    return pages


# --- Pages -------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "limit"), [(0, 5), (4, 5), (5, 5), (6, 5), (23, 7)])
def test_cursors_lead_to_the_end_once(boss: Api, number: int, limit: int) -> None:
    made = many(number)
    pages = walk(boss, f"limit={limit}&action=thing.done")
    assert [pk for page in pages for pk in page] == made
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == max(1, -(-number // limit))


def test_what_happens_meanwhile_moves_no_page(boss: Api) -> None:
    made = many(6)
    first = boss.get(f"{PATH}?limit=3&action=thing.done").json()
    many(4)
    cursor = first["next_cursor"]
    rest = boss.get(f"{PATH}?limit=3&action=thing.done&cursor={cursor}").json()
    assert ids(first["data"]) + ids(rest["data"]) == made
    assert rest["next_cursor"] is None


def test_twenty_are_shown_unless_asked_otherwise(boss: Api) -> None:
    many(25)
    assert len(boss.get(PATH).json()["data"]) == 20
    assert len(boss.get(f"{PATH}?limit=100").json()["data"]) == 25 + SIGN_IN


def test_a_cursor_of_the_future_begins_at_the_newest(boss: Api) -> None:
    made = many(2)
    top = UUID(int=2**128 - 1)
    assert ids(read(boss, f"action=thing.done&cursor={top}")) == made
    assert read(boss, f"cursor={UUID(int=0)}") == []


def test_a_page_costs_two_statements(boss: Api, django_assert_num_queries: Any) -> None:
    for number in (1, 150):
        many(number)
        with django_assert_num_queries(2):
            boss.get(f"{PATH}?limit=100")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("actor=x", "actor"),
        ("target=1", "target"),
        ("organization=acme", "organization"),
        ("outcome=maybe", "outcome"),
        ("format=xml", "format"),
        ("since=yesterday", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("until=9999-12-31T23:59:59-14:00", "until"),
        ("until=2024-02-30T00:00:00Z", "until"),
        ("action=%00", "action"),
        ("action=" + "x" * 65, "action"),
        ("request_id=%00", "request_id"),
        ("request_id=" + "x" * 37, "request_id"),
    ],
)
def test_a_bad_query_is_told(boss: Api, query: str, field: str) -> None:
    assert fields(boss.get(f"{PATH}?{query}")) == [field]


# --- Filters -----------------------------------------------------------------------


def test_each_filter_picks_out_its_own(
    boss: Api, acme: Tenant, alice: User, bob: User
) -> None:
    here = acme.organization.pk
    wanted = audit.record(
        "thing.made",
        actor=alice,
        target=bob,
        outcome=Outcome.DENIED,
        organization_id=here,
    )
    audit.record("thing.lost", actor=bob, target=alice, organization_id=uuid4())
    queries = [
        "action=thing.made",
        "outcome=denied",
        f"actor={alice.pk}",
        f"target={bob.pk}",
        f"organization={here}",
        f"actor={alice.pk}&target={bob.pk}&organization={here}&outcome=denied",
    ]
    assert [ids(read(boss, query)) for query in queries] == [[str(wanted.pk)]] * 6
    assert read(boss, f"actor={alice.pk}&target={alice.pk}") == []
    assert read(boss, f"organization={uuid4()}") == []


@pytest.mark.parametrize("form", ["str", "hex"])
def test_a_request_leads_to_what_it_did(boss: Api, alice: User, form: str) -> None:
    """As it came back in the answer."""
    name = uuid4()
    sent = {"X-Request-ID": str(name) if form == "str" else name.hex}
    answer = boss.post(f"/admin/users/{alice.pk}/deactivate", headers=sent)
    rows = read(boss, f"request_id={answer.headers['X-Request-ID']}")
    assert [row["action"] for row in rows] == ["user.deactivated"]
    assert rows[0]["request_id"] == answer.headers["X-Request-ID"]
    assert read(boss, f"request_id={uuid4()}") == []


def test_a_span_of_time_includes_its_beginning(boss: Api) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for minute in range(4):
        Event.objects.create(action="old.thing", at=start + timedelta(minutes=minute))
    one, three = (quote(f"2020-01-01T0{n // 60}:0{n % 60}:00Z") for n in (1, 3))
    rows = read(boss, f"since={one}&until={three}")
    assert [row["at"] for row in rows] == ["2020-01-01T00:02:00Z", "2020-01-01T00:01:00Z"]
    local = quote("2020-01-01T02:01:00+02:00")
    assert read(boss, f"since={local}&until={three}") == rows


def test_an_event_is_shown_whole(
    api: SignIn, boss: Api, root: User, acme: Tenant, alice: User
) -> None:
    agent = {"User-Agent": "Curious agent"}
    body = {"user_id": str(alice.pk), "role": "member"}
    path = f"/admin/organizations/{acme.organization.pk}/members"
    answer = boss.post(path, body, headers=agent)
    (row,) = read(boss, f"target={alice.pk}")
    at = row.pop("at")
    assert at.endswith("Z")
    assert row == {
        "id": str(Event.objects.get(action="member.joined").pk),
        "action": "member.joined",
        "outcome": "success",
        "actor_id": str(root.pk),
        "actor_label": root.email,
        "target_type": "user",
        "target_id": str(alice.pk),
        "target_label": alice.email,
        "data": {"role": "member", "as_superuser": True},
        "organization_id": str(acme.organization.pk),
        "session_id": str(boss.session.pk),
        "address": "198.51.100.7",
        "agent": "Curious agent",
        "request_id": answer.headers["X-Request-ID"],
    }


# --- Files -------------------------------------------------------------------------


def rows_of(text: str, form: str) -> list[dict[str, Any]]:
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("form", "kind"),
    [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")],
)
@pytest.mark.parametrize("number", [0, 1, BATCH + 1])
def test_a_file_has_all_of_them_whatever_the_limit(
    boss: Api, form: str, kind: str, number: int
) -> None:
    made = many(number)
    answer = boss.get(f"{PATH}?format={form}&limit=1&action=thing.done")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Cache-Control"] == "no-store"
    assert ids(rows_of(answer.text, form)) == made


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_file_has_every_column_and_follows_the_filters(
    boss: Api, acme: Tenant, alice: User, form: str
) -> None:
    here = acme.organization.pk
    audit.record("a.b", actor=alice, organization_id=here, note="=1+1")
    many(2)
    text = boss.get(f"{PATH}?format={form}&organization={here}").text
    (row,) = rows_of(text, form)
    assert row.keys() == EVENT
    assert (row["action"], row["organization_id"]) == ("a.b", str(here))
    if form == "csv":
        assert text.partition("\r\n")[0] == ",".join(read(boss)[0])
        assert json.loads(row["data"]) == {"note": "=1+1"}


def test_a_file_can_be_opened_safely(boss: Api) -> None:
    many(1, agent="=cmd|' /C calc'!A0", actor_label='@a,"b"\n')
    (row,) = rows_of(boss.get(f"{PATH}?format=csv&action=thing.done").text, "csv")
    assert row["agent"].startswith("'=")
    assert row["actor_label"] == '\'@a,"b"\n'


def test_nothing_here_changes_the_log(boss: Api) -> None:
    """Check 218."""
    (pk,) = many(1)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert boss.call(method, PATH, {}).status_code == 405
        assert boss.call(method, f"{PATH}/{pk}", {}).status_code == 404
    assert Event.objects.get(pk=pk).at <= timezone.now()
