"""What a process does for its sockets: hears, looks, goes on when things fail."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import User
from audit import services as audit
from audit import stream
from live import hub as hubs
from live import listening, questions, sockets
from live.checks import check_layer
from organizations.models import Membership, Organization
from organizations.roles import Capability, Role
from sessions_app.models import EndReason, Session
from sessions_app.services import end_session, start_session
from tests.live.conftest import Live
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db

ENDED = (4401, "session_ended")


def tell(user: User) -> None:
    audit.record("user.updated", target=user, fields=["locale"])


# --- The look at the database ------------------------------------------------------


def test_a_look_closes_what_ended_without_the_layer(
    live: Live, alice: User, bob: User
) -> None:
    mine, his = live.open(alice), live.open(bob)
    end_session(
        session=Session.objects.get(user=alice), by=alice, reason=EndReason.LOGOUT
    )
    live.look()
    assert mine.end() == ENDED
    assert his.is_open


@pytest.mark.parametrize("changes", [{"is_active": False}, {"session_epoch": 9}])
def test_a_look_closes_the_sockets_of_who_is_not_let_in(
    live: Live, alice: User, changes: dict[str, Any]
) -> None:
    mine = live.open(alice)
    User.objects.get_queryset().filter(pk=alice.pk).update(**changes)
    live.look()
    assert mine.end() == ENDED
    assert mine.news() == []


def test_a_look_finds_lost_seats_and_changed_roles(live: Live, acme: Tenant) -> None:
    gone, up, same = (
        live.follow(person, acme) for person in (acme.admin, acme.member, acme.owner)
    )
    Membership.objects.filter(user=acme.admin).delete()
    Membership.objects.filter(user=acme.member).update(role=Role.ADMIN)
    live.look()
    assert gone.kinds == ["unsubscribed"]
    assert live.socket(up).subscriptions.see(
        acme.organization.pk, Capability.MANAGE_INVITATIONS
    )
    assert same.news() == up.news() == []
    assert len(live.hub.of(acme.organization.pk)) == 2


def test_a_look_finds_suspended_organizations(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.owner, acme)
    Organization.objects.filter(pk=acme.organization.pk).update(is_active=False)
    live.look()
    assert listener.kinds == ["unsubscribed"]


def test_a_look_finds_deleted_organizations_of_superusers(
    live: Live, acme: Tenant, root: User
) -> None:
    listener = live.follow(root, acme)
    acme.organization.memberships.all().delete()
    Organization.objects.filter(pk=acme.organization.pk).delete()
    live.look()
    assert listener.kinds == ["unsubscribed"]


def test_a_look_comes_by_itself(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hubs.LOOK_SECONDS <= 15
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.01)
    mine = live.open(alice)
    live.run(_begun(live))
    Session.objects.all().delete()
    assert mine.end() == ENDED


async def _begun(live: Live) -> None:
    """The task that slept for longer already is begun anew."""
    live.hub._begin(live.hub._look_again())


def test_a_look_is_a_constant_number_of_statements(live: Live, acme: Tenant) -> None:
    for person in (acme.owner, acme.admin, acme.member):
        for _ in range(3):
            live.follow(person, acme)
    with CaptureQueriesContext(connection) as statements:
        live.look()
    assert len(statements) == 4


def test_a_look_asks_about_so_many_at_once(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOK_BATCH", 2)
    mine = [live.open(alice) for _ in range(5)]
    with CaptureQueriesContext(connection) as statements:
        live.look()
    # Nobody follows anything: one each.
    assert len(statements) == 3
    Session.objects.all().delete()
    live.look()
    assert [each.end() for each in mine] == [ENDED] * 5


def test_a_look_that_fails_keeps_the_sockets_and_the_next_finds(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    mine = live.open(alice)
    Session.objects.all().delete()

    def away(*args: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(questions, "look", away)
        live.look()
    assert mine.is_open
    assert "look_failed" in caplog.text
    live.look()
    assert mine.end() == ENDED


# --- The ear -----------------------------------------------------------------------


def test_when_the_layer_is_back_sockets_hear_of_the_gap_and_are_looked_at(
    live: Live, alice: User, bob: User
) -> None:
    mine, his = live.open(alice), live.open(bob)
    Session.objects.filter(user=bob).delete()

    async def back() -> None:
        live.hub.catch_up()

    live.run(back())
    live.settle()
    (told,) = mine.news()
    assert (told["type"], told["code"]) == ("error", "resume_gap")
    assert his.end() == ENDED


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(listening, "RETRY_SECONDS", 0.02)


@pytest.fixture
def beating(fast: None, live: Live) -> Live:
    return live


def break_layer(patch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    async def broken(*args: Any) -> None:
        raise fault

    layer = stream.layer()
    for name in ("send", "group_send"):
        patch.setattr(layer, name, broken, raising=False)


class NoLayer:
    async def new_channel(self) -> str:
        raise OSError

    async def flush(self) -> None:
        raise OSError


def test_a_process_that_never_heard_anything_says_so_as_well(
    fast: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(listening, "layer", NoLayer)
    ear = listening.Ear(lambda event: None, lambda: None)

    async def tried() -> None:
        listen = asyncio.create_task(ear.listen())
        beat = asyncio.create_task(ear.beat())
        done, _ = await asyncio.wait({listen, beat}, timeout=0.3)
        assert not done
        for task in (listen, beat):
            task.cancel()
        await asyncio.gather(listen, beat, return_exceptions=True)

    asyncio.run(tried())
    assert ear.deaf
    assert caplog.text.count("layer_unreachable") == 1


def test_a_process_that_went_deaf_says_so_and_catches_up(
    beating: Live, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    live = beating
    mine = live.open(alice)
    with monkeypatch.context() as patch:
        break_layer(patch, OSError)
        _wait(live, lambda: live.hub.ear.deaf)
        assert mine.news() == []
    assert mine.next()["code"] == "resume_gap"
    assert caplog.text.count("layer_unreachable") == 1
    assert caplog.text.count("layer_is_back") == 1
    with live.committed():
        tell(alice)
    # The gap may be told once more: by the beat, and by who could not announce.
    assert "user.updated" in mine.kinds


def _wait(live: Live, ready: Any) -> None:
    async def waited() -> None:
        while not ready():
            await asyncio.sleep(0.001)

    live.run(waited())


def test_what_could_not_be_announced_is_a_gap(
    beating: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = beating
    mine = live.open(alice)

    def broken(*args: Any) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(stream, "_publish", broken)
        with live.capture(execute=True):
            tell(alice)
        _wait(live, lambda: stream.announcer.rests_until > 0)
    _beats(live, 3)
    assert "error" in mine.kinds


def _beats(live: Live, number: int) -> None:
    for _ in range(number):
        live.hub.ear.beaten.clear()
        _wait(live, live.hub.ear.beaten.is_set)


def test_a_process_still_hears_after_a_day(
    beating: Live, alice: User, settings: Settings
) -> None:
    if settings.REDIS_URL:
        pytest.skip("Redis does not forget.")
    live, mine = beating, beating.open(alice)
    for channels in cast(Any, stream.layer()).groups.values():
        for name in channels:
            channels[name] -= 25 * 3600
    _beats(live, 1)
    with live.committed():
        tell(alice)
    assert mine.kinds == ["user.updated"]


def _publish(live: Live, message: dict[str, Any]) -> None:
    live.run(stream.layer().group_send(stream.GROUP, message))


JUNK: dict[str, dict[str, Any]] = {
    "no events": {"type": "live.events"},
    "no fields": {"type": "live.events", "events": [{"action": "x"}]},
    "a number as id": {
        "type": "live.events",
        "events": [
            {
                "action": "user.updated",
                "person_id": 5,
                "organization_id": None,
                "target_id": None,
            }
        ],
    },
    "an unknown kind": {"type": "live.tomorrow", "news": 1},
    "no mapping": {"type": "live.events", "events": [None]},
    "no id": {
        "type": "live.events",
        "events": [
            {
                "action": "user.updated",
                "person_id": "not an id",
                "organization_id": None,
                "target_id": None,
            }
        ],
    },
}


@pytest.mark.parametrize("name", JUNK)
def test_what_another_release_announces_does_not_deafen(
    live: Live, alice: User, name: str
) -> None:
    mine = live.open(alice)
    _publish(live, JUNK[name])
    with live.committed():
        tell(alice)
    assert mine.kinds == ["user.updated"]


# --- Peers who do not read ---------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (sockets.MAXIMUM_WAITING, sockets.SEND_SECONDS) == (500, 10.0)
    monkeypatch.setattr(sockets, "MAXIMUM_WAITING", 3)


def test_who_reads_too_slowly_is_ended_and_the_others_are_told(
    small: None, live: Live, alice: User, bob: User
) -> None:
    slow, fine = live.open(alice), live.open(alice)
    socket = live.socket(slow)
    slow.readable.clear()
    for _ in range(6):
        with live.committed():
            tell(alice)
        assert socket.waiting.qsize() <= 3
    assert fine.kinds == ["user.updated"] * 6
    assert slow.end() == (1008, "too_slow")
    assert slow.news() == []


def test_one_frame_that_is_not_taken_ends_it(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SEND_SECONDS", 0.02)
    slow = live.open(alice)
    slow.readable.clear()
    slow.say("ping")
    assert slow.end() == (1008, "too_slow")


def test_who_does_not_even_take_the_close_is_given_up(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CLOSE_SECONDS", 0.02)
    listener = live.open(alice)
    socket = live.socket(listener)

    async def never(message: Any) -> None:
        await asyncio.Event().wait()

    socket.send = never
    Session.objects.all().delete()
    live.look()
    assert listener.end() is None
    assert not live.hub.sockets


@pytest.mark.parametrize("fault", [OSError, ConnectionResetError, BrokenPipeError])
def test_a_peer_who_has_gone_is_no_crash(
    live: Live, alice: User, fault: type[Exception], caplog: Any
) -> None:
    listener = live.open(alice)
    socket = live.socket(listener)

    async def gone(message: Any) -> None:
        raise fault

    socket.send = gone
    listener.say("ping")
    listener.end()
    assert not live.hub.sockets
    assert "socket_crashed" not in caplog.text


# --- Nothing stays behind ----------------------------------------------------------


def test_every_end_leaves_no_task_and_no_group(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(asyncio.all_tasks(live.loop))
    for _ in range(3):
        gone, ended, expired, binary = (live.follow(acme.owner, acme) for _ in range(4))
        gone.hang_up()
        binary.say_bytes(b"x")
        live.loop.call_soon(live.socket(expired).expiry._run)
        socket = live.socket(ended)
        end_session(
            session=Session.objects.get(pk=socket.claims.session_id),
            by=acme.owner,
            reason=EndReason.LOGOUT,
        )
        live.look()
        for listener in (gone, ended, expired, binary):
            listener.end()
    assert not live.hub.sockets
    assert not live.hub.groups
    live.settle()
    assert len(asyncio.all_tasks(live.loop)) == before


def test_a_new_token_leaves_one_timer(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.open(pair)
    first = live.socket(listener).expiry
    listener.ask("authenticate", access_token=pair.access_token)
    assert first.cancelled()
    last = live.socket(listener).expiry
    listener.hang_up()
    listener.end()
    assert last.cancelled()


def test_what_is_said_behind_the_end_is_not_answered(live: Live, alice: User) -> None:
    listener = live.open(alice)
    listener.say_bytes(b"x")
    for _ in range(5):
        listener.say("ping")
    listener.end()
    assert listener.news() == []


def test_many_messages_at_once_leave_others_their_turn(
    live: Live, alice: User, bob: User
) -> None:
    mine, his = live.open(alice), live.open(bob)
    for _ in range(2000):
        mine.say("ping")
    assert his.ask("ping")["type"] == "pong"
    assert mine.end() == (4429, "too_many_requests")


def test_an_unknown_action_is_told_to_nobody(live: Live, alice: User) -> None:
    listener = live.open(alice)
    event: dict[str, Any] = {
        "id": str(uuid4()),
        "at": "",
        "action": "of.tomorrow",
        "data": {},
    }
    event |= {"person_id": str(alice.pk), "organization_id": None, "target_id": None}
    _publish(live, {"type": "live.events", "events": [event]})
    live.settle()
    assert listener.news() == []


# --- Checks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processes", "redis_url", "warned"),
    [(1, "", False), (2, "", True), (2, "redis://x", False), (1, "redis://x", False)],
)
def test_several_processes_without_redis_are_warned_of(
    settings: Settings, processes: int, redis_url: str, warned: bool
) -> None:
    settings.WEB_CONCURRENCY, settings.REDIS_URL = processes, redis_url
    assert [each.id for each in check_layer(None)] == (["live.W001"] if warned else [])


# --- The server's own life ---------------------------------------------------------


def test_a_hub_that_stops_leaves_no_task(live: Live) -> None:
    hub = hubs.Hub()

    async def lived() -> bool:
        hub.start()
        await asyncio.sleep(0)
        stopping = asyncio.create_task(hub.stop())
        done, _ = await asyncio.wait({stopping}, timeout=10)
        while hub.tasks:
            for task in hub.tasks:
                task.cancel()
            await asyncio.wait(set(hub.tasks), timeout=0.1)
        await stopping
        return bool(done)

    assert live.run(lived())
    assert stream.announcer.loop is None


def test_times_are_written_as_rest_writes_them(live: Live, alice: User) -> None:
    listener = live.open(alice)
    with live.committed():
        tell(alice)
    (told,) = listener.news()
    assert told["at"].endswith("Z")
