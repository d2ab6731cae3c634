"""All of an organization's events as a file: complete, in order, safe to open."""

import csv
import io
import json
import re
from itertools import islice
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import services as audit
from audit.models import Event
from audit.pages import EventSerializer, as_file
from config.sheets import BATCH
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.organizations.cast import Tenant
from tests.organizations.test_events import SHOWN, happen

pytestmark = pytest.mark.django_db

FORMATS = ["csv", "jsonl"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def export(api: SignIn, acme: Tenant, form: str, query: str = "") -> httpx.Response:
    answer = api(acme.owner).get(f"{acme.url}/events?format={form}{query}")
    assert answer.status_code == 200
    return answer


def rows_of(text: str, form: str) -> list[dict[str, Any]]:
    if form == "jsonl":
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.split("\n")[:-1]]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def many(acme: Tenant, number: int) -> list[str]:
    """Their ids, newest first."""
    events = Event.objects.bulk_create(
        Event(action="thing.done", organization_id=acme.organization.pk)
        for _ in range(number)
    )
    return sorted((str(event.pk) for event in events), reverse=True)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("number", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 203])
def test_every_event_is_in_the_file_once(
    api: SignIn, acme: Tenant, globex: Tenant, form: str, number: int
) -> None:
    many(globex, 3)
    ids = many(acme, number)
    with CaptureQueriesContext(
        connection,
    ) as statements:
        answer = export(api, acme, form)
    assert [row["id"] for row in rows_of(answer.text, form)] == ids
    reads = [s for s in statements if 'FROM "audit_event" WHERE' in s["sql"]]
    assert len(reads) == -(-number // BATCH) + 1


@pytest.mark.parametrize(
    ("form", "kind"),
    [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")],
)
def test_a_file_is_a_stream_with_a_name(
    api: SignIn, acme: Tenant, form: str, kind: str
) -> None:
    many(acme, 2)
    headers = export(api, acme, form).headers
    assert headers["Content-Type"] == kind
    assert headers["Content-Disposition"] == f'attachment; filename="events.{form}"'
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in headers


def test_both_formats_say_what_the_page_says(api: SignIn, acme: Tenant) -> None:
    happen(acme, "thing.done", "two.done", number=1, text='a "b", c\nd ü', nothing=None)
    client = api(acme.owner)
    page = client.get(f"{acme.url}/events").json()["data"]
    assert rows_of(export(api, acme, "jsonl").text, "jsonl") == page
    rows = rows_of(export(api, acme, "csv").text, "csv")
    assert [list(row) for row in rows] == [SHOWN] * 2
    for row, shown in zip(rows, page, strict=True):
        assert json.loads(row["data"]) == shown.pop("data")
        assert row | {"data": ""} == shown | {"data": ""}
    assert rows_of(export(api, acme, "csv", "&action=none").text, "csv") == []


@pytest.mark.parametrize("form", FORMATS)
def test_times_are_in_utc(api: SignIn, acme: Tenant, form: str) -> None:
    (event,) = happen(acme, "thing.done")
    (row,) = rows_of(export(api, acme, form).text, form)
    assert TIME.fullmatch(row["at"])
    assert row["at"] == event.at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("form", FORMATS)
def test_filters_narrow_the_file(api: SignIn, acme: Tenant, form: str) -> None:
    """The page is not asked for: a file is all of it, newest first."""
    happen(acme, "one.done", "two.done", "two.done")
    query = "&action=two.done&page=9&limit=1&sort_order=asc"
    rows = rows_of(export(api, acme, form, query).text, form)
    assert [row["action"] for row in rows] == ["two.done"] * 2
    assert rows[0]["id"] > rows[1]["id"]
    late = rows_of(export(api, acme, form, "&since=9999-01-01T00:00:00Z").text, form)
    assert late == []


@pytest.mark.parametrize("form", FORMATS)
def test_what_happens_meanwhile_is_for_the_next_file(acme: Tenant, form: str) -> None:
    ids = many(acme, BATCH + 2)
    events = Event.objects.filter(organization_id=acme.organization.pk)
    answer = as_file(events, form, EventSerializer)
    chunks = iter(answer)
    begun = list(islice(chunks, 2 if form == "csv" else 1))
    many(acme, 3)
    text = b"".join([*begun, *chunks]).decode()
    assert [row["id"] for row in rows_of(text, form)] == ids


# --- In a spreadsheet --------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "=cmd@example.com",
        "+1@example.com",
        "-2@example.com",
        "=1+cmd|'/c'!a1@example.com",
    ],
)
def test_no_cell_is_a_formula(api: SignIn, acme: Tenant, address: str) -> None:
    person = UserFactory.create(email=address)
    happen(acme, "thing.done", actor=person, target=person)
    (row,) = rows_of(export(api, acme, "csv").text, "csv")
    assert row["actor_label"] == row["target_label"] == f"'{address}"
    (row,) = rows_of(export(api, acme, "jsonl").text, "jsonl")
    assert row["actor_label"] == row["target_label"] == address


def test_an_invited_address_is_no_formula(api: SignIn, acme: Tenant) -> None:
    invitation = {"email": "=cmd@example.com", "role": "member"}
    client = api(acme.owner)
    assert client.post(f"{acme.url}/invitations", invitation).status_code == 201
    (row,) = rows_of(export(api, acme, "csv").text, "csv")
    assert row["target_label"] == "'=cmd@example.com"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_whatever_a_label_begins_with_it_is_text(
    api: SignIn, acme: Tenant, start: str
) -> None:
    text = f'{start}1+1","x\r\n=2'
    Event.objects.create(
        action="thing.done", organization_id=acme.organization.pk, target_label=text
    )
    (row,) = rows_of(export(api, acme, "csv").text, "csv")
    assert row["target_label"] == f"'{text}"


# --- Limits ------------------------------------------------------------------------


def test_a_few_files_a_minute_are_made(api: SignIn, acme: Tenant) -> None:
    """Both kinds are one count, of each person; pages are counted by themselves."""
    client = api(acme.owner)
    for form in ("csv", "jsonl", "csv", "jsonl", "csv"):
        assert client.get(f"{acme.url}/events?format={form}").status_code == 200
    for form in FORMATS:
        answer = client.get(f"{acme.url}/events?format={form}")
        refused(answer, 429, "too_many_requests")
        assert int(answer.headers["Retry-After"]) >= 1
    assert client.get(f"{acme.url}/events").status_code == 200
    assert api(acme.admin).get(f"{acme.url}/events?format=csv").status_code == 200


def test_a_bad_query_costs_no_file(api: SignIn, acme: Tenant) -> None:
    client = api(acme.owner)
    for _ in range(6):
        refused(client.get(f"{acme.url}/events?format=csv&since=x"), 422)
        refused(client.get(f"{acme.url}/events?format=xml"), 422)
    assert client.get(f"{acme.url}/events?format=csv").status_code == 200


def test_an_event_of_a_person_who_is_gone_stays_in_the_file(
    api: SignIn, acme: Tenant
) -> None:
    happen(acme, "thing.done", actor=acme.member, target=acme.member)
    audit.pseudonymize(acme.member.pk, label="deleted-1", personal=[])
    (row,) = rows_of(export(api, acme, "csv").text, "csv")
    assert (row["actor_label"], row["target_label"]) == ("deleted-1", "deleted-1")
