"""One a process: hears what happened anywhere and hands it to the sockets it concerns.

One task waits on the channel layer for all of them, so a layer that is gone refuses no
socket; and a look at the database at intervals makes good what the layer lost
(docs/decisions/0010).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from django.db import Error

from audit import stream
from config.asgi_types import Receive, Scope, Send
from live import questions, visibility
from live.errors import ResumeGap
from live.frames import encode, refusal
from live.listening import Ear
from live.sockets import Socket
from sessions_app.errors import SessionEnded

LOOK_SECONDS = 15.0
# Of sockets in one question.
LOOK_BATCH = 500
RETRY_SECONDS = 1.0
STOP_SECONDS = 2.0

logger = structlog.get_logger("live")


class Hub:
    """Lives on one event loop, that of the server."""

    def __init__(self) -> None:
        self.thread = questions.Thread()
        self.sockets: set[Socket] = set()
        # Sockets by what concerns them: a person, a session, an organization.
        self.groups: defaultdict[Hashable, set[Socket]] = defaultdict(set)
        self.ear = Ear(self.hear, self.catch_up)
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Socket(self, scope, receive, send).run()

    def start(self) -> None:
        stream.announcer.serve_on(asyncio.get_running_loop())
        for work in (self.ear.listen, self.ear.beat, self._look_again):
            self._begin(_for_ever(work))

    async def stop(self) -> None:
        stream.announcer.serve_on(None)
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            # Not for longer: redis-py swallows a cancellation while it connects.
            await asyncio.wait(set(self.tasks), timeout=STOP_SECONDS)
        await asyncio.to_thread(self.thread.stop)

    # --- Groups --------------------------------------------------------------------

    def add(self, socket: Socket) -> None:
        self.sockets.add(socket)
        for group in socket.groups:
            self.join(socket, group)

    def remove(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        counted = [name for name, _ in socket.held]
        for group in (*socket.groups, *counted, *socket.subscriptions.requested):
            self.part(socket, group)

    def join(self, socket: Socket, group: Hashable) -> None:
        self.groups[group].add(socket)

    def part(self, socket: Socket, group: Hashable) -> None:
        self.groups[group].discard(socket)
        if not self.groups[group]:
            del self.groups[group]

    def of(self, group: Hashable) -> list[Socket]:
        return list(self.groups.get(group, ()))

    # --- What happened -------------------------------------------------------------

    def hear(self, event: Mapping[str, Any]) -> None:
        person, tenant, target = (
            event[name] and UUID(event[name])
            for name in ("person_id", "organization_id", "target_id")
        )
        action = event["action"]
        if action == visibility.EVERYBODY_OUT:
            # But for who has signed in again since.
            self._begin(self.look(list(self.sockets)))
        elif action == "session.ended":
            self._end(self.of(target))
        if tenant:
            self._reseat(action, tenant, self.of(person))
            self._tell_tenant(tenant, event)
        if action in visibility.CHANGED_RIGHTS:
            self._doubt(self.of(person), tenant)
        if own := visibility.for_oneself(event):
            text = encode(own)
            for socket in self.of(person):
                socket.tell(text)

    def _end(self, sockets: Iterable[Socket]) -> None:
        for socket in list(sockets):
            socket.end(SessionEnded())

    def _reseat(self, action: str, tenant: UUID, theirs: list[Socket]) -> None:
        """Before anything is told: who is out hears nothing more."""
        if action in visibility.CLOSED_TENANTS:
            losing = self.of(tenant)
        elif action in visibility.GONE_MEMBERS:
            losing = [socket for socket in theirs if socket in self.of(tenant)]
        else:
            return
        for socket in losing:
            socket.lose(tenant)

    def _tell_tenant(self, tenant: UUID, event: Mapping[str, Any]) -> None:
        if told := visibility.for_tenant(event):
            frame, needs = told
            text = encode(frame)
            for socket in self.of(tenant):
                if socket.subscriptions.see(tenant, needs):
                    socket.tell(text)

    def _doubt(self, sockets: list[Socket], tenant: UUID | None) -> None:
        for socket in sockets:
            if tenant:
                socket.subscriptions.doubt_role(tenant)
            else:
                socket.subscriptions.doubt_all()
        self._begin(self.look(sockets))

    # --- What the layer lost -------------------------------------------------------

    def catch_up(self) -> None:
        """The layer is back: nobody knows what it did not bring."""
        for socket in self.sockets:
            socket.tell(refusal(ResumeGap()))
        self._begin(self.look(list(self.sockets)))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look(list(self.sockets))

    async def look(self, sockets: list[Socket]) -> None:
        """Asks the database who is still to be here, and as what."""
        for start in range(0, len(sockets), LOOK_BATCH):
            try:
                await self._judge(sockets[start : start + LOOK_BATCH])
            except Error:
                # It is asked again at the next look; access tokens end meanwhile.
                logger.warning("look_failed", exc_info=True)
                return

    async def _judge(self, sockets: list[Socket]) -> None:
        # Also who is entering: the answer it waits for may be from before.
        present = [s for s in sockets if s in self.sockets]
        asked = {s: (s.subscriptions.followed, s.subscriptions.doubts) for s in present}
        found = await self.thread.ask(
            questions.look,
            [s.claims.session_id for s in present],
            [(s.claims.user_id, tenant) for s in present for tenant in asked[s][0]],
            [hold for s in present if s.is_open for hold in s.held],
        )
        for socket, (tenants, doubts) in asked.items():
            socket.judge(found, tenants, doubts)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        # The loop itself holds a task weakly.
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        # The last guard of this task: without it one unforeseen fault would make the
        # process deaf without a word.
        except Exception:
            logger.exception("live_task_crashed")
            await asyncio.sleep(RETRY_SECONDS)
