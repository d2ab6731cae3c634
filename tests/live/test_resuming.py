"""What happened while a socket was away."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import User
from audit import services as audit
from audit.models import Event
from config.identifiers import new_id
from live import questions
from live.sockets import MAXIMUM_WAITING
from organizations import services
from organizations.roles import Role
from sessions_app import services as sessions
from sessions_app.models import EndReason, Session
from sessions_app.services import start_session
from tests.live.conftest import Live
from tests.live.listener import Listener
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db


def place(*, seconds_ago: float = 0) -> UUID:
    """An id that was made then."""
    then = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    milliseconds = int(then.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62))


def make(user: User, *, ago: float = 0, number: int = 1, **fields: Any) -> list[Event]:
    """Of the account, that long ago."""
    values = {"action": "user.updated", "target_type": "user", "target_id": user.pk}
    values |= {"outcome": "success", "data": {"fields": ["first_name"]}}
    base = place(seconds_ago=ago).int
    rows = [Event(pk=UUID(int=base + n), **(values | fields)) for n in range(number)]
    return Event.objects.bulk_create(rows)


def resume(listener: Listener, after: UUID) -> list[dict[str, Any]]:
    """All that comes before the answer to the ping behind it."""
    listener.say("resume", after=str(after))
    listener.say("ping")
    told = []
    while (frame := listener.next())["type"] != "pong":
        told.append(frame)
    return told


def forget() -> None:
    """What came before the test's own."""
    Event.objects.all()._raw_delete("default")


def ids(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["id"] for frame in frames]


def test_what_happened_since_comes_again_oldest_first(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.owner, acme)
    start = place()
    forget()
    services.update_organization(by=acme.seat(acme.owner), name="New")
    audit.record("user.updated", target=acme.owner, fields=["locale"])
    services.invite_member(
        by=acme.seat(acme.admin), email="dana@example.com", role=Role.MEMBER
    )
    told = resume(listener, start)
    kinds = [frame["type"] for frame in told]
    assert kinds == ["organization.updated", "user.updated", "invitation.created"]
    assert ids(told) == sorted(ids(told))
    assert ids(told) == [str(event.pk) for event in Event.objects.order_by("pk")]


def test_a_replayed_event_is_the_one_that_was_told(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.owner, acme)
    forget()
    start = place()
    with live.committed():
        services.update_organization(by=acme.seat(acme.owner), name="New")
        services.update_member(
            by=acme.seat(acme.owner), user_id=acme.member.pk, role=Role.ADMIN
        )
        audit.record("user.updated", target=acme.owner, fields=["locale"])
    told = listener.news()
    assert len(told) == 3
    assert resume(listener, start) == told


@pytest.mark.parametrize(("seconds", "comes"), [(0, True), (19, True), (21, False)])
def test_replay_begins_twenty_seconds_earlier(
    live: Live, alice: User, seconds: int, comes: bool
) -> None:
    listener = live.open(alice)
    forget()
    (event,) = make(alice, ago=100 + seconds)
    told = resume(listener, place(seconds_ago=100))
    assert ids(told) == ([str(event.pk)] if comes else [])


@pytest.mark.parametrize(("seconds", "gap"), [(3590, False), (3610, True), (10**8, True)])
def test_longer_than_an_hour_is_a_gap(
    live: Live, alice: User, seconds: int, gap: bool
) -> None:
    listener = live.open(alice)
    forget()
    told = resume(listener, place(seconds_ago=seconds))
    assert [frame.get("code") for frame in told] == (["resume_gap"] if gap else [])
    assert listener.is_open


@pytest.mark.parametrize("text", ["0" * 32, "0" * 31 + "1"])
def test_the_beginning_of_time_is_a_gap(live: Live, alice: User, text: str) -> None:
    (told,) = resume(live.open(alice), UUID(text))
    assert told["code"] == "resume_gap"


@pytest.mark.parametrize(
    "after",
    [
        UUID("f" * 32),
        UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"),
        place(seconds_ago=-1e7),
    ],
)
def test_an_id_that_nobody_made_yet_is_no_place(
    live: Live, alice: User, after: UUID
) -> None:
    (told,) = resume(live.open(alice), after)
    assert told["code"] in {"resume_gap", "validation_failed"}


def test_an_id_a_little_ahead_is_taken(live: Live, alice: User) -> None:
    listener = live.open(alice)
    forget()
    make(alice)
    assert len(resume(listener, place(seconds_ago=-5))) == 1


@pytest.mark.parametrize(("number", "gap"), [(4, False), (5, True)])
def test_more_than_so_many_are_a_gap(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch, number: int, gap: bool
) -> None:
    assert questions.MAXIMUM_REPLAY == 1000
    monkeypatch.setattr(questions, "MAXIMUM_REPLAY", 4)
    listener = live.follow(acme.owner, acme)
    forget()
    # Of each kind less than that.
    make(acme.owner, number=2)
    tenant: dict[str, Any] = {
        "action": "organization.updated",
        "target_type": "organization",
    }
    tenant |= {"target_id": acme.organization.pk, "organization_id": acme.organization.pk}
    make(acme.owner, number=number - 2, ago=1, **tenant)
    told = resume(listener, place(seconds_ago=5))
    assert len(told) == (1 if gap else 4)
    assert (told[0].get("code") == "resume_gap") is gap


# --- Only what may be seen ---------------------------------------------------------


def test_only_what_is_followed_and_may_be_seen_comes_again(
    live: Live, acme: Tenant, globex: Tenant
) -> None:
    start = place()
    for tenant in (acme, globex):
        by = tenant.seat(tenant.owner)
        services.update_organization(by=by, name="New")
        services.invite_member(by=by, email="dana@example.com", role=Role.MEMBER)
    assert resume(live.open(acme.member), start)[0]["type"] == "session.started"
    follower = live.follow(acme.member, acme)
    told = [frame for frame in resume(follower, start) if "organization_id" in frame]
    assert [frame["type"] for frame in told] == ["organization.updated"]
    assert told[0]["organization_id"] == str(acme.organization.pk)


def test_who_was_demoted_meanwhile_sees_what_a_member_sees(
    live: Live, acme: Tenant
) -> None:
    listener = live.follow(acme.admin, acme)
    start = place()
    forget()
    with live.committed():
        services.invite_member(
            by=acme.seat(acme.owner), email="dana@example.com", role=Role.MEMBER
        )
        services.update_member(
            by=acme.seat(acme.owner), user_id=acme.admin.pk, role=Role.MEMBER
        )
    listener.news()
    assert [each["type"] for each in resume(listener, start)] == ["member.role_changed"]


def test_nothing_of_other_people_comes_again(live: Live, alice: User, bob: User) -> None:
    listener = live.open(alice)
    forget()
    start = place()
    start_session(user=bob)
    audit.record("user.updated", target=bob, actor=alice, fields=["locale"])
    audit.record("password.changed", target=alice)
    assert resume(listener, start) == []


def test_sessions_that_somebody_else_ended_come_again(
    live: Live, alice: User, root: User
) -> None:
    other = start_session(user=alice)
    session = Session.objects.get()
    listener = live.open(alice)
    start = place()
    forget()
    sessions.end_session(session=session, by=root, reason=EndReason.REVOKED)
    (told,) = resume(listener, start)
    assert (told["type"], told["data"]["session_id"]) == (
        "session.ended",
        str(session.pk),
    )
    assert other.user == alice


# --- While it is told --------------------------------------------------------------


def test_a_ping_behind_it_is_answered_when_all_was_told(live: Live, alice: User) -> None:
    listener = live.open(alice)
    forget()
    made = make(alice, number=700)
    assert ids(resume(listener, place(seconds_ago=5))) == [str(e.pk) for e in made]


def test_what_happens_while_it_is_replayed_ends_nothing(live: Live, alice: User) -> None:
    listener = live.open(alice)
    forget()
    make(alice, number=700)
    listener.readable.clear()
    listener.say("resume", after=str(place(seconds_ago=5)))
    socket = live.socket(listener)
    listener.loop.run_until_complete(_filled(socket))
    with live.committed():
        audit.record("user.updated", target=alice, fields=["locale"])
    listener.readable.set()
    assert listener.ask("ping")
    assert listener.is_open


async def _filled(socket: Any) -> None:
    async with asyncio.timeout(5):
        while socket.waiting.qsize() <= MAXIMUM_WAITING // 2:
            await asyncio.sleep(0)


def test_who_is_removed_while_it_is_replayed_hears_no_more_of_it(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = live.follow(acme.owner, acme)
    forget()
    fields: dict[str, Any] = {
        "action": "organization.updated",
        "organization_id": acme.organization.pk,
    }
    make(acme.owner, number=900, **fields)
    listener.readable.clear()
    listener.say("resume", after=str(place(seconds_ago=5)))
    socket = live.socket(listener)
    listener.loop.run_until_complete(_filled(socket))
    # The one who does not read has lost the organization.
    socket.lose(acme.organization.pk)
    listener.readable.set()
    listener.say("ping")
    told = []
    while (frame := listener.next())["type"] != "pong":
        told.append(frame)
    assert 250 <= len(told) <= 256


def test_resuming_is_limited_a_minute(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "live_resume": 1}
    listener = live.open(alice)
    assert [f.get("code") for f in resume(listener, new_id())][-1:] != [
        "too_many_requests"
    ]
    (told,) = resume(listener, new_id())
    assert told["code"] == "too_many_requests"
    assert listener.is_open


@pytest.mark.parametrize("number", [1, 50])
def test_it_takes_as_many_statements_however_much_happened(
    live: Live, acme: Tenant, settings: Settings, number: int
) -> None:
    settings.RATELIMIT_ENABLE = False
    listener = live.follow(acme.owner, acme)
    for _ in range(number):
        start_session(user=acme.owner)
        audit.record("user.updated", target=acme.owner, fields=["locale"])
    with CaptureQueriesContext(connection) as statements:
        resume(listener, place(seconds_ago=5))
    assert len(statements) == 3


def test_an_id_of_nothing_is_a_place_in_time(live: Live, alice: User) -> None:
    listener = live.open(alice)
    forget()
    (event,) = make(alice)
    told = resume(listener, place(seconds_ago=1))
    assert ids(told) == [str(event.pk)]
