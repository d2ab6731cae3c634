"""What happened in an organization, read by those who answer for it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from audit import services as audit
from audit.models import Event, Outcome
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db

SHOWN = [
    "id",
    "at",
    "action",
    "outcome",
    "actor_id",
    "actor_label",
    "target_type",
    "target_id",
    "target_label",
    "data",
]


def read(api: SignIn, acme: Tenant, query: str = "") -> list[dict[str, Any]]:
    answer = api(acme.admin).get(f"{acme.url}/events?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def happen(acme: Tenant, *actions: str, **fields: Any) -> list[Event]:
    """In this order, done by the owner to the member."""
    fields = {"actor": acme.owner, "target": acme.member, **fields}
    organization_id = acme.organization.pk
    return [audit.record(a, organization_id=organization_id, **fields) for a in actions]


# --- Who reads what ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("anonymous", 401, "not_authenticated"),
        ("stranger", 403, "not_a_member"),
        ("member", 403, "role_too_low"),
    ],
)
def test_nobody_below_an_admin_reads_events(
    api: SignIn, acme: Tenant, globex: Tenant, who: str, status: int, code: str
) -> None:
    """Check 219. An owner elsewhere is a stranger here."""
    caller = {"stranger": globex.owner, "member": acme.member}.get(who)
    for query in ("", "?format=csv", "?format=jsonl", "?action=x&page=0"):
        refused(api(caller).get(f"{acme.url}/events{query}"), status, code)


@pytest.mark.parametrize("who", ["admin", "owner", "superuser"])
def test_who_answers_for_an_organization_reads_its_events(
    api: SignIn, acme: Tenant, root: User, who: str
) -> None:
    happen(acme, "thing.done")
    caller = root if who == "superuser" else getattr(acme, who)
    answer = api(caller).get(f"{acme.url}/events")
    assert [row["action"] for row in answer.json()["data"]] == ["thing.done"]


def test_an_event_is_shown_without_whereabouts(api: SignIn, acme: Tenant) -> None:
    device = api(acme.owner)
    agent = {"User-Agent": "Secret agent"}
    device.patch(acme.member_url(acme.member), {"role": "admin"}, headers=agent)
    event = Event.objects.get(action="member.role_changed")
    assert (event.agent, event.address) == ("Secret agent", "198.51.100.7")
    (row,) = read(api, acme)
    assert row == {
        "id": str(event.pk),
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "action": "member.role_changed",
        "outcome": "success",
        "actor_id": str(acme.owner.pk),
        "actor_label": acme.owner.email,
        "target_type": "user",
        "target_id": str(acme.member.pk),
        "target_label": acme.member.email,
        "data": {"role": "admin", "previous_role": "member"},
    }
    assert list(row) == SHOWN


def test_nothing_of_elsewhere_is_among_them(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    """Whatever the filter: one's own doings elsewhere are others' to read."""
    happen(globex, "thing.done", actor=acme.owner, target=acme.member)
    audit.record("thing.done", actor=acme.owner)
    assert read(api, acme) == []
    assert read(api, acme, f"actor={acme.owner.pk}&action=thing.done") == []
    assert read(api, acme, f"organization_id={globex.organization.pk}") == []
    assert len(read(api, globex, f"actor={acme.owner.pk}")) == 1


def test_a_refused_member_is_an_event_here_and_a_stranger_is_not(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    for person in (acme.member, globex.owner):
        refused(api(person).patch(acme.url, {"name": "New"}), 403)
    (row,) = read(api, acme)
    assert (row["action"], row["outcome"]) == ("access.denied", "denied")
    assert (row["actor_id"], row["target_id"]) == (str(acme.member.pk), None)
    path = f"/api/v1{acme.url}"
    assert row["data"] == {"method": "PATCH", "path": path, "code": "role_too_low"}
    assert read(api, globex) == []
    stranger = Event.objects.get(actor_id=globex.owner.pk, action="access.denied")
    assert stranger.organization_id is None


@pytest.mark.parametrize("path", ["/members/{other}", "/invitations/{other}"])
def test_a_refused_admin_is_an_event_too(api: SignIn, acme: Tenant, path: str) -> None:
    invitation = acme.organization.invitations.create(
        email="new@example.com",
        email_key="new@example.com",
        role="owner",
        token_digest="0" * 64,
        expires_at=timezone.now() + timedelta(days=1),
    )
    other = acme.owner.pk if "members" in path else invitation.pk
    client = api(acme.admin)
    refused(client.delete(acme.url + path.format(other=other)), 403, "role_too_high")
    (row,) = read(api, acme, "outcome=denied")
    assert row["data"]["code"] == "role_too_high"


# --- Narrowed and ordered ----------------------------------------------------------


def test_filters_narrow_the_list(api: SignIn, acme: Tenant) -> None:
    happen(acme, "one.done", "two.done")
    happen(acme, "two.done", actor=acme.admin, outcome=Outcome.FAILURE)

    def found(query: str) -> list[str]:
        return [row["action"] for row in read(api, acme, query)]

    assert found("action=one.done") == ["one.done"]
    assert found("action=one") == found("action=%25") == found("action=ONE.DONE") == []
    assert found("outcome=success") == ["two.done", "one.done"]
    assert found("outcome=failure") == ["two.done"]
    assert found("outcome=denied") == []
    assert found(f"actor={acme.admin.pk}") == ["two.done"]
    assert found(f"actor={acme.owner.pk}&action=two.done") == ["two.done"]
    assert found(f"actor={uuid4()}") == []
    assert len(found("unknown=1")) == 3


def test_a_time_begins_with_since_and_ends_before_until(
    api: SignIn, acme: Tenant
) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for minute in range(3):
        Event.objects.create(
            action=f"minute.{minute}",
            organization_id=acme.organization.pk,
            at=start + timedelta(minutes=minute),
        )
    since, until = "since=2026-03-01T12:01:00Z", "until=2026-03-01T12:02:00Z"
    # The same instants, as clocks elsewhere have them.
    elsewhere = "since=2026-03-01T13:01:00%2B01:00&until=2026-03-01T10:02:00-02:00"
    assert [r["action"] for r in read(api, acme, since)] == ["minute.2", "minute.1"]
    assert [r["action"] for r in read(api, acme, until)] == ["minute.1", "minute.0"]
    assert [r["action"] for r in read(api, acme, f"{since}&{until}")] == ["minute.1"]
    assert [r["action"] for r in read(api, acme, elsewhere)] == ["minute.1"]
    assert read(api, acme, "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("since=0001-01-01T00:00:00Z", 1),
        ("since=0001-01-01T00:00:00-14:00", 1),
        ("since=9999-12-31T23:59:59.999999Z", 0),
        ("until=9999-12-31T23:59:59%2B14:00", 1),
        ("until=0001-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00", 1),
        ("until=2020-01-01", 0),
    ],
)
@pytest.mark.parametrize("format_", ["", "&format=jsonl"])
def test_the_ends_of_time_are_times(
    api: SignIn, acme: Tenant, query: str, number: int, format_: str
) -> None:
    """Check 164."""
    happen(acme, "thing.done")
    answer = api(acme.owner).get(f"{acme.url}/events?{query}{format_}")
    assert answer.status_code == 200
    assert answer.text.count("thing.done") == number


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[
            (f"{name}={time}", name)
            for name in ("since", "until")
            for time in (
                "0001-01-01T00:00:00%2B14:00",
                "9999-12-31T23:59:59-14:00",
                "10000-01-01T00:00:00Z",
                "2024-02-30T00:00:00Z",
                "1000000000000000000",
                "2024-01-01T00:00:00+01:00",
                "yesterday",
                "%00",
                "",
            )
        ],
        ("actor=abc", "actor"),
        ("actor=", "actor"),
        ("actor=%00", "actor"),
        ("outcome=perhaps", "outcome"),
        ("outcome=", "outcome"),
        ("action=", "action"),
        ("action=%00", "action"),
        ("action=" + "x" * 65, "action"),
        ("sort_order=up", "sort_order"),
        ("page=0", "page"),
        ("page=1000001", "page"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("format=xml", "format"),
        ("format=CSV", "format"),
        ("format=", "format"),
        ("format=csv&limit=0", "limit"),
    ],
)
def test_a_bad_query_is_told(api: SignIn, acme: Tenant, query: str, field: str) -> None:
    assert fields(api(acme.owner).get(f"{acme.url}/events?{query}")) == [field]


def test_pages_repeat_and_drop_nothing(api: SignIn, acme: Tenant) -> None:
    happen(acme, *(f"number.{number}" for number in range(12)))
    client = api(acme.owner)
    pages = [
        client.get(f"{acme.url}/events?limit=5&page={number}").json()
        for number in range(1, 5)
    ]
    actions = [row["action"] for page in pages for row in page["data"]]
    assert actions == [f"number.{number}" for number in reversed(range(12))]
    assert [page["pagination"]["page_size"] for page in pages] == [5, 5, 2, 0]
    assert {page["pagination"]["total"] for page in pages} == {12}
    oldest_first = [row["action"] for row in read(api, acme, "sort_order=asc")]
    assert oldest_first == actions[::-1]


# --- Limits ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_limited(api: SignIn, acme: Tenant, method: str) -> None:
    client = api(acme.owner)
    calls = [client.call(method, f"{acme.url}/events").status_code for _ in range(61)]
    assert calls == [200] * 60 + [429]
    assert api(acme.admin).call(method, f"{acme.url}/events").status_code == 200
