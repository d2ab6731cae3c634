"""How what happened gets out of a change, and what a layer that fails costs it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from channels.exceptions import ChannelFull
from django.db import transaction
from pytest_django.fixtures import Settings
from redis.exceptions import ConnectionError as RedisGone

from accounts.models import User
from audit import services as audit
from audit import stream
from audit.layers import RedisLayer
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
    """In memory, for who asks for that; both ways of sending fail alike."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.calls = 0

    async def group_send(self, group: str, message: Any) -> None:
        self.calls += 1
        raise self.fault


class BadRedisLayer(RedisLayer):
    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.calls = 0

    def publish(self, group: str, message: Any) -> None:
        self.calls += 1
        raise self.fault


FAULTS = [RedisGone(), OSError(), ConnectionResetError(), TimeoutError(), ChannelFull()]
KINDS = [BadLayer, BadRedisLayer]


@pytest.fixture
def looping() -> Iterator[asyncio.AbstractEventLoop]:
    """Runs, as that of a server does, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def announcer(looping: asyncio.AbstractEventLoop) -> Announcer:
    own = Announcer()
    own.serve_on(looping)
    return own


def settle(announcer: Announcer) -> None:
    """All that was sent has been tried."""
    announcer.thread.submit(int).result()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_layer_that_fails_is_logged_once_and_rests(
    announcer: Announcer,
    kind: type[Any],
    fault: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = kind(fault)
    monkeypatch.setattr(stream, "layer", lambda: bad)
    for _ in range(3):
        announcer.send({"type": "x"})
    settle(announcer)
    assert bad.calls == 1
    announcer.rests_until = 0.0
    announcer.send({"type": "x"})
    settle(announcer)
    assert bad.calls == 2
    assert caplog.text.count("not_announced") == 1
    assert announcer.lost
    announcer.rests_until = announcer.warned_until = 0.0
    announcer.send({"type": "x"})
    settle(announcer)
    assert caplog.text.count("not_announced") == 2


def test_a_layer_in_memory_that_hangs_is_given_up(
    announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(BadLayer):
        async def group_send(self, group: str, message: Any) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(stream, "SEND_SECONDS", 0.02)
    hanging = Hanging(OSError())
    monkeypatch.setattr(stream, "layer", lambda: hanging)
    announcer.send({"type": "x"})
    settle(announcer)
    assert announcer.lost


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_does_not_wait_for_a_layer_that_fails(
    live: Live, alice: User, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(live.in_process, alice)
    bad = kind(OSError())
    with monkeypatch.context() as patch:
        patch.setattr(stream, "layer", lambda: bad)
        with live.capture(execute=True):
            answer = client.patch("/users/me", {"first_name": "Al"})
        assert answer.status_code == 200
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
    """And who changes something waits for none of them."""
    monkeypatch.setattr(stream, "MAXIMUM_PENDING", 3)
    answering = threading.Event()

    class Slow(BadRedisLayer):
        def publish(self, group: str, message: Any) -> None:
            self.calls += 1
            answering.wait(20)

    slow = Slow(OSError())
    monkeypatch.setattr(stream, "layer", lambda: slow)
    announcer = Announcer()
    announcer.serve_on(asyncio.new_event_loop())
    for _ in range(10):
        announcer.send({"type": "x"})
    assert announcer.room._value == 0
    assert "too many are waiting" in caplog.text
    assert announcer.lost
    answering.set()
    settle(announcer)
    assert announcer.room._value == slow.calls == 3
    assert announcer.loop
    announcer.loop.close()


def test_what_is_announced_first_is_heard_first(
    announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []

    class Noting(BadRedisLayer):
        def publish(self, group: str, message: Any) -> None:
            heard.append(message["number"])

    noting = Noting(OSError())
    monkeypatch.setattr(stream, "layer", lambda: noting)
    for number in range(200):
        announcer.send({"type": "x", "number": number})
    settle(announcer)
    assert heard == list(range(200))


def test_a_fault_of_ours_is_logged_and_known_as_a_loss(
    announcer: Announcer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = BadLayer(TypeError("not to be written"))
    monkeypatch.setattr(stream, "layer", lambda: bad)
    announcer.send({"type": "x"})
    settle(announcer)
    assert announcer.lost
    assert "announcement_crashed" in caplog.text


def test_redis_brings_what_was_published_without_a_loop(redis_url: str) -> None:
    """In the form of channels-redis, which listens; also behind a connection that has
    died since.
    """
    configured = cast(RedisLayer, stream.layer())

    async def heard() -> list[Any]:
        channel = await configured.new_channel()
        await configured.group_add(stream.GROUP, channel)
        found = []
        for number in range(2):
            message = {"type": "x", "number": number}
            await asyncio.to_thread(configured.publish, stream.GROUP, message)
            found.append(await configured.receive(channel))
            configured._client.connection_pool.disconnect()
        await configured.flush()
        return found

    found = asyncio.run(asyncio.wait_for(heard(), 20))
    assert [message["number"] for message in found] == [0, 1]


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
    bad = BadRedisLayer(OSError())
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
