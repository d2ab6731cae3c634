"""One open socket: lets in, reads, writes, and ends in time."""

import asyncio
import time
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import Error

from config.addresses import bucket
from config.asgi_types import Receive, Scope, Send
from config.errors import DomainError, TooManyRequests
from config.identifiers import new_id
from limits.holds import Hold
from live import messages, questions
from live.credentials import offered, read_access
from live.errors import TooManySockets, TooSlow
from live.frames import about, encode, moment
from live.questions import Found
from live.subscriptions import Subscriptions
from sessions_app.errors import SessionEnded, TokenInvalid
from sessions_app.tokens import Claims

if TYPE_CHECKING:
    from live.hub import Hub

# RFC 6455 §7.4 and the contract, by the status that a refusal has over HTTP.
CLOSE_CODES = {401: 4401, 413: 1009, 415: 1003, 429: 4429, 500: 1011, 503: 1013}
POLICY_VIOLATION = 1008

# Frames that wait for a peer who does not read, and how long one may take.
MAXIMUM_WAITING = 500
SEND_SECONDS = 10.0
CLOSE_SECONDS = 1.0
# Messages a second: beyond the first each is refused, beyond the second the socket ends.
MESSAGES, FLOOD = 20, 100


class Socket:
    """`claims` are those of the newest access token."""

    claims: Claims

    def __init__(self, hub: "Hub", scope: Scope, receive: Receive, send: Send) -> None:
        self.hub = hub
        self.scope = scope
        self.receive = receive
        self.send = send
        self.key = str(new_id())
        self.subscriptions = Subscriptions()
        self.loop = asyncio.get_running_loop()
        self.waiting: asyncio.Queue[str] = asyncio.Queue(MAXIMUM_WAITING)
        self.taken = asyncio.Event()
        # Until it is greeted nothing is told: the client loads everything behind that.
        self.is_open = False
        self.ended: asyncio.Future[DomainError] = self.loop.create_future()
        self.expiry: asyncio.TimerHandle | None = None
        self.second, self.number = 0.0, 0

    async def run(self) -> None:
        await self.receive()
        token, protocol = offered(self.scope)
        # Accepted first: a browser is told the code of a close, and nothing of a
        # handshake that was refused.
        await self.send({"type": "websocket.accept", "subprotocol": protocol})
        if reason := await self._live(token):
            await self._close(reason)

    async def _live(self, token: str) -> DomainError | None:
        """Why it ended; None where the peer has gone."""
        try:
            self.claims = read_access(token)
        except TokenInvalid as reason:
            return reason
        # Before the database is asked: what ends in between is heard.
        self.hub.add(self)
        try:
            await self._enter()
            return await self._converse()
        except DomainError as reason:
            return reason
        except Error as exc:
            return messages.translated(exc)
        finally:
            self._leave()

    async def _enter(self) -> None:
        await self.hub.thread.ask(questions.enter, self.claims, self.held)
        for (name, _), most in self.held.items():
            if len(self.hub.of(name)) >= most:
                raise TooManySockets
        for name, _ in self.held:
            self.hub.join(self, name)
        self.is_open = True
        self.greet()

    def _leave(self) -> None:
        if self.expiry:
            self.expiry.cancel()
        self.hub.remove(self)
        self.hub.thread.later(questions.give_back, self.held)

    async def _converse(self) -> DomainError | None:
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        ends: set[asyncio.Future[Any]] = {*tasks, self.ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            return self.ended.result() if self.ended.done() else None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while (message := await self.receive())["type"] != "websocket.disconnect":
            try:
                self._count()
                await messages.answer(self, message)
            except DomainError as reason:
                messages.refuse(self, reason)
            except Error as exc:
                messages.refuse(self, messages.translated(exc))

    async def _write(self) -> None:
        while True:
            text = await self.waiting.get()
            self.taken.set()
            if self.ended.done():
                return
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self.send({"type": "websocket.send", "text": text})
            except TimeoutError:
                self.end(TooSlow())
            except OSError:
                # The peer has gone; reading hears of it.
                return

    async def _close(self, reason: DomainError) -> None:
        code = CLOSE_CODES.get(reason.status, POLICY_VIOLATION)
        message = {"type": "websocket.close", "code": code, "reason": reason.code}
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.send(message)
        except OSError:
            # Gone already, or not reading: there is nobody to tell.
            return

    def _count(self) -> None:
        now = self.loop.time()
        if now - self.second >= 1:
            self.second, self.number = now, 0
        self.number += 1
        if self.number > FLOOD:
            self.end(TooManyRequests())
        if self.number > MESSAGES:
            raise TooManyRequests

    # --- What others do to it ------------------------------------------------------

    @property
    def held(self) -> dict[Hold, int]:
        """What it counts for, and how many there may be of each."""
        user, address = f"user {self.claims.user_id}", bucket(self.scope["client"][0])
        found = {(user, self.key): settings.SOCKETS_PER_USER}
        if address:
            found[f"address {address}", self.key] = settings.SOCKETS_PER_ADDRESS
        return found

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """What happens to these concerns it."""
        return (self.claims.user_id, self.claims.session_id)

    def greet(self, claims: Claims | None = None) -> None:
        """With the newest claims: it ends when their token does."""
        self.claims = claims or self.claims
        if self.expiry:
            self.expiry.cancel()
        left = self.claims.expires - time.time()
        self.expiry = self.loop.call_later(max(left, 0), self.end, TokenInvalid())
        self.tell(
            encode(
                {
                    "type": "ready",
                    "session_id": str(self.claims.session_id),
                    "expires_at": moment(self.claims.expires),
                    "last_event_id": str(new_id()),
                }
            )
        )

    def tell(self, text: str) -> None:
        if self.ended.done() or not self.is_open:
            return
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            # It comes back and asks for what it missed, instead of never knowing.
            self.end(TooSlow())

    async def say(self, text: str) -> None:
        """At the pace of the peer, and leaving room for what happens meanwhile."""
        while self.waiting.qsize() > MAXIMUM_WAITING // 2:
            self.taken.clear()
            await self.taken.wait()
        self.tell(text)

    def end(self, reason: DomainError) -> None:
        """From here on nothing is told; the first reason stands."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def judge(self, found: Found, asked: Collection[UUID], doubts: int) -> None:
        """`asked` are the organizations that the answer is about, `doubts` how many there
        were then.
        """
        if self.claims.session_id not in found.sessions:
            self.end(SessionEnded())
        mine = {pk: found.roles.get((self.claims.user_id, pk)) for pk in asked}
        roles = {pk: role for pk, role in mine.items() if role}
        for organization_id in self.subscriptions.judge(roles, asked, doubts):
            self.lose(organization_id)

    def lose(self, organization_id: UUID) -> None:
        self.subscriptions.drop(organization_id)
        self.hub.part(self, organization_id)
        self.tell(about("unsubscribed", organization_id))
