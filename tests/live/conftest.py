import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import pytest
from channels.layers import channel_layers
from django.conf import settings as configured

from accounts.models import User
from audit import stream
from config.health import Draining
from live import questions
from live.hub import Hub
from sessions_app.services import Tokens, start_session
from tests.client import Api, InProcess
from tests.conftest import SignIn
from tests.live.listener import PATIENCE, Listener, Wish, about
from tests.organizations.cast import Tenant, make_tenant

SENTINEL: dict[str, Any] = {
    "id": "",
    "at": "",
    "action": "tests.sentinel",
    "person_id": None,
    "organization_id": None,
    "target_id": None,
    "data": {},
}
Capture = Callable[..., AbstractContextManager[Any]]


class Live:
    """The hub of one test, and the sockets that it has."""

    def __init__(self, in_process: InProcess, capture: Capture) -> None:
        self.in_process = in_process
        self.loop = in_process.loop
        self.capture = capture
        self.hub = Hub()
        self.own_pool = self.hub.thread.pool
        # One thread asks for requests and sockets: they share the test's connection.
        self.hub.thread.pool = in_process.thread
        self.listeners: list[Listener] = []
        self.sentinels = 0
        self.hear = self.hub.ear.hear
        self.hub.ear.hear = self._hear

    def _hear(self, event: Any) -> None:
        if event["action"] == SENTINEL["action"]:
            self.sentinels += 1
        else:
            self.hear(event)

    def run(self, work: Any) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.loop.run_until_complete(bounded())

    def start(self) -> None:
        self.run(self._start())

    async def _start(self) -> None:
        self.hub.start()
        self.standing = set(self.hub.tasks)
        while not await self._joined():
            await asyncio.sleep(0)

    async def _joined(self) -> bool:
        channel = self.hub.ear.channel
        return bool(channel)

    def stop(self) -> None:
        for listener in self.listeners:
            listener.readable.set()
            listener.hang_up()
        for listener in self.listeners:
            self.run(asyncio.wait([listener.task]))
        self.in_process.thread.submit(int).result()
        self.hub.thread.pool = self.own_pool
        self.run(self.hub.stop())
        self.run(self._forget_layer())

    async def _forget_layer(self) -> None:
        await stream.layer().flush()
        channel_layers.backends.clear()

    # --- Sockets -------------------------------------------------------------------

    def wish(self, token: str | None = None, **wish: Any) -> Listener:
        """A handshake, and nothing waited for."""
        application = self.in_process.application
        listener = Listener(self.loop, application, Wish(token, **wish))
        self.listeners.append(listener)
        return listener

    def open(self, who: User | Tokens | Api | str, **wish: Any) -> Listener:
        """One that was let in, past its `ready`."""
        listener = self.wish(access_of(who), **wish)
        assert listener.next()["type"] == "ready"
        return listener

    def follow(self, who: User | Tokens | Api, tenant: Tenant) -> Listener:
        listener = self.open(who)
        asked = listener.ask("subscribe", organization_id=str(tenant.organization.pk))
        assert asked["type"] == "subscribed"
        return listener

    def socket(self, listener: Listener) -> Any:
        return about(self.hub.sockets, listener)

    # --- What happens --------------------------------------------------------------

    @contextmanager
    def committed(self) -> Iterator[None]:
        """What is done inside is committed, announced, heard and told behind it."""
        with self.capture(execute=True):
            yield
        self.settle()

    def settle(self) -> None:
        self.run(self._settle())

    async def _settle(self) -> None:
        # Else it overtakes what was announced and has not left yet.
        while stream.announcer.room._value < stream.MAXIMUM_PENDING:
            await asyncio.sleep(0)
        seen = self.sentinels
        message = {"type": "live.events", "events": [SENTINEL]}
        await stream.layer().group_send(stream.GROUP, message)
        while self.sentinels == seen or self.hub.tasks - self.standing:
            await asyncio.sleep(0)
        await self._written()

    async def _written(self) -> None:
        """Whoever reads has all that was told, and whoever is ended has left."""
        while any(self._busy(each) for each in self.listeners):
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)

    def _busy(self, listener: Listener) -> bool:
        if listener.task.done() or not listener.readable.is_set():
            return False
        found = [each for each in self.hub.sockets if _is_of(each, listener)]
        return any(each.ended.done() or not each.waiting.empty() for each in found)

    def look(self) -> None:
        self.run(self.hub.look(list(self.hub.sockets)))
        self.run(self._written())


def _is_of(socket: Any, listener: Listener) -> bool:
    return bool(socket.receive.__self__.receive == listener.inbox.get)


def access_of(who: User | Tokens | Api | str) -> str:
    if isinstance(who, str):
        return who
    if isinstance(who, User):
        return start_session(user=who).access_token
    return (who.tokens if isinstance(who, Api) else who).access_token


@pytest.fixture
def live(
    api: SignIn,
    in_process: InProcess,
    django_capture_on_commit_callbacks: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Live]:
    made = Live(in_process, django_capture_on_commit_callbacks)
    protocols = cast(Any, in_process.application).application.application
    monkeypatch.setattr(protocols, "hub", made.hub)
    # It would close the test's own connection.
    monkeypatch.setattr(questions, "close_old_connections", lambda: None)
    monkeypatch.setattr(stream.announcer, "lost", False)
    monkeypatch.setattr(stream.announcer, "rests_until", 0.0)
    monkeypatch.setattr(stream.announcer, "warned_until", 0.0)
    # A second is little on a machine that others use as well.
    monkeypatch.setattr(stream, "SEND_SECONDS", PATIENCE)
    monkeypatch.setattr(Draining, "begun", False)
    channel_layers.backends.clear()
    made.start()
    yield made
    made.stop()
    assert not made.hub.sockets
    assert not made.hub.groups


@pytest.fixture
def acme(db: Any) -> Tenant:
    return make_tenant("Acme")


@pytest.fixture
def globex(db: Any) -> Tenant:
    """Another one, of other people."""
    return make_tenant("Globex")


@pytest.fixture
def redis_url() -> str:
    if not configured.REDIS_URL:
        pytest.skip("There is no Redis.")
    return str(configured.REDIS_URL)
