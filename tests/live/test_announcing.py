"""How what happened gets out of a change, and what a layer that fails costs it."""

import asyncio
import json
import time
from typing import Any

import pytest
from channels.exceptions import ChannelFull
from django.db import transaction
from pytest_django.fixtures import Settings
from redis.exceptions import ConnectionError as RedisGone

from accounts.models import User
from audit import services as audit
from audit import stream
from audit.models import Event
from audit.stream import Announcer
from config import context
from tests.client import signed_in
from tests.conftest import SignIn
from tests.live.conftest import Capture, Live
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would go to the layer."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(stream.announcer, "send", messages.append)
    return messages


def test_it_is_announced_once_it_is_committed(
    sent: list[Any], alice: User, django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        event = audit.record("user.updated", target=alice, fields=["locale"])
        assert sent == []
    (message,) = sent
    assert [each["id"] for each in message["events"]] == [str(event.pk)]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_announced(sent: list[Any], alice: User) -> None:
    with transaction.atomic():
        audit.record("user.updated", target=alice, fields=["locale"])
        transaction.set_rollback(True)
    assert sent == []
    with transaction.atomic():
        audit.record("user.updated", target=alice, fields=["locale"])
    assert len(sent) == 1


@pytest.mark.parametrize("action", ["sign_in.failed", "password.changed", "", "x"])
def test_only_what_somebody_listens_to_is_announced(
    sent: list[Any],
    alice: User,
    action: str,
    django_capture_on_commit_callbacks: Capture,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        audit.record(action, target=alice)
    assert sent == []


@pytest.mark.parametrize(
    ("number", "messages"), [(1, [1]), (200, [200]), (201, [200, 1]), (400, [200, 200])]
)
def test_what_a_bulk_change_made_goes_in_several_messages(
    sent: list[Any],
    alice: User,
    number: int,
    messages: list[int],
    django_capture_on_commit_callbacks: Capture,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        made = audit.record_each("user.updated", [alice] * number, fields=["locale"])
    assert [len(message["events"]) for message in sent] == messages
    told = [event["id"] for message in sent for event in message["events"]]
    assert told == [str(event.pk) for event in made]


def test_what_is_announced_names_no_address_agent_or_person(acme: Tenant) -> None:
    context.enter(context.RequestContext(address="203.0.113.9", agent="Spy/1.0"))
    event = audit.record(
        "member.joined",
        actor=acme.owner,
        target=acme.member,
        organization_id=acme.organization.pk,
        role="member",
    )
    told = stream.describe(event, person_id=acme.member.pk)
    text = json.dumps(told)
    for secret in ("203.0.113.9", "Spy/1.0", acme.member.email, acme.owner.email):
        assert secret not in text
    assert set(told) == {
        "id",
        "at",
        "action",
        "person_id",
        "organization_id",
        "target_id",
        "data",
    }
    assert told["at"].endswith("Z")


def test_an_event_about_nobody_is_described(db: Any) -> None:
    told = stream.describe(Event(action="sessions.all_ended"), person_id=None)
    assert (told["person_id"], told["organization_id"], told["target_id"]) == (None,) * 3


# --- A layer that fails ------------------------------------------------------------


class BadLayer:
    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault
        self.calls = 0

    async def group_send(self, group: str, message: Any) -> None:
        self.calls += 1
        if self.fault:
            raise self.fault
        await asyncio.Event().wait()


FAULTS = [RedisGone(), OSError(), ConnectionResetError(), TimeoutError(), ChannelFull()]


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch) -> Announcer:
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.02)
    return Announcer()


@pytest.mark.parametrize("fault", [*FAULTS, None], ids=repr)
def test_a_layer_that_fails_is_logged_once_and_rests(
    announcer: Announcer,
    fault: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = BadLayer(fault)
    monkeypatch.setattr(stream, "layer", lambda: bad)
    for _ in range(3):
        asyncio.run(announcer._send({"type": "x"}))
    assert bad.calls == 1
    announcer.rests_until = 0.0
    asyncio.run(announcer._send({"type": "x"}))
    assert bad.calls == 2
    assert caplog.text.count("not_announced") == 1
    assert announcer.lost
    announcer.rests_until = announcer.warned_until = 0.0
    asyncio.run(announcer._send({"type": "x"}))
    assert caplog.text.count("not_announced") == 2


@pytest.mark.parametrize("fault", [RedisGone(), OSError(), None], ids=repr)
def test_a_change_does_not_wait_for_a_layer_that_fails(
    live: Live, alice: User, fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(live.in_process, alice)
    bad = BadLayer(fault)
    with monkeypatch.context() as patch:
        patch.setattr(stream, "layer", lambda: bad)
        patch.setattr(stream, "SEND_SECONDS", 0.05)
        started = time.monotonic()
        with live.capture(execute=True):
            answer = client.patch("/users/me", {"first_name": "Al"})
        assert answer.status_code == 200
        assert time.monotonic() - started < 4
        live.run(_until_free())
    assert bad.calls == 1
    alice.refresh_from_db()
    assert alice.first_name == "Al"


async def _until_free() -> None:
    while stream.announcer.room._value < stream.MAXIMUM_PENDING:
        await asyncio.sleep(0.001)


def test_so_many_wait_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "MAXIMUM_PENDING", 3)
    bad = BadLayer(OSError())
    monkeypatch.setattr(stream, "layer", lambda: bad)
    announcer = Announcer()
    loop = asyncio.new_event_loop()
    announcer.serve_on(loop)
    for _ in range(10):
        announcer.send({"type": "x"})
    assert announcer.room._value == 0
    assert "too many are waiting" in caplog.text
    assert announcer.lost

    async def drain() -> None:
        while announcer.room._value < 3:
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(drain(), 5))
    loop.close()


def test_a_fault_of_ours_is_logged_and_known_as_a_loss(
    announcer: Announcer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = BadLayer(TypeError("not to be written"))
    monkeypatch.setattr(stream, "layer", lambda: bad)
    loop = asyncio.new_event_loop()
    announcer.serve_on(loop)
    announcer.send({"type": "x"})

    async def drain() -> None:
        while announcer.room._value < stream.MAXIMUM_PENDING:
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(drain(), 5))
    loop.close()
    assert announcer.lost
    assert "announcement_crashed" in caplog.text


def test_a_command_without_redis_announces_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = ""
    bad = BadLayer(OSError())
    monkeypatch.setattr(stream, "layer", lambda: bad)
    Announcer().send({"type": "x"})
    assert bad.calls == 0


def test_a_command_announces_through_redis(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    bad = BadLayer(OSError())
    monkeypatch.setattr(stream, "layer", lambda: bad)
    Announcer().send({"type": "x"})
    assert bad.calls == 1


def test_commands_reach_the_sockets_of_a_server(
    live: Live, alice: User, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = live.open(alice)
    command = Announcer()
    monkeypatch.setattr(stream, "announcer", command)
    with live.committed():
        audit.record("user.updated", target=alice, fields=["locale"])
    assert listener.kinds == ["user.updated"]


def test_without_a_listener_a_change_is_made_all_the_same(
    api: SignIn, alice: User, django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = api(alice).patch("/users/me", {"first_name": "Al"})
    assert answer.status_code == 200
