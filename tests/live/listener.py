"""A WebSocket client in this process: what it says, and what it is told."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from config.asgi_types import Application, Message
from live.sockets import Socket
from tests.client import PEER
from tests.live import document

PATH = "/ws/v1/events"
OWN_ORIGIN = "http://testserver"
# No test waits for longer: what has not come by then does not come.
PATIENCE = 5.0

Headers = Sequence[tuple[bytes, bytes]]


@dataclass
class Wish:
    """A handshake: an honest one of a program, unless a test says otherwise."""

    token: str | None = None
    origin: str | None = OWN_ORIGIN
    host: str = "testserver"
    headers: Headers = ()
    subprotocols: Sequence[str] = ()
    path: str = PATH
    query: bytes = b""
    scheme: str = "ws"
    peer: str = PEER
    answers_over_http: bool = True

    def scope(self) -> dict[str, Any]:
        headers = [(b"host", self.host.encode()), *self.headers]
        if self.origin is not None:
            headers.append((b"origin", self.origin.encode("latin-1")))
        if self.token is not None:
            headers.append((b"authorization", f"Bearer {self.token}".encode()))
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": ("testserver", 80),
            "client": (self.peer, 40000),
            "root_path": "",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "headers": headers,
            "subprotocols": list(self.subprotocols),
            "state": {},
            "extensions": (
                {"websocket.http.response": {}} if self.answers_over_http else {}
            ),
        }


@dataclass
class Listener:
    """One socket, from its handshake on. `frames` is all that it was told."""

    loop: asyncio.AbstractEventLoop
    application: Application
    wish: Wish
    frames: list[dict[str, Any]] = field(default_factory=list)
    accepted: Message | None = None
    closed: Message | None = None
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    read: int = 0

    def __post_init__(self) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.readable = asyncio.Event()
        self.readable.set()
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.task = self.loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.application(self.wish.scope(), self.inbox.get, self._take)
        finally:
            self.changed.set()

    async def _take(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            # A peer who does not read: the kernel's buffers are full.
            await self.readable.wait()
        self._note(message)
        self.changed.set()

    def _note(self, message: Message) -> None:
        assert self.closed is None, f"{message} behind the close"
        kind = message["type"]
        if kind == "websocket.send":
            assert self.accepted
            frame = json.loads(message["text"])
            document.check(frame)
            self.frames.append(frame)
        elif kind == "websocket.accept":
            self.accepted = message
        elif kind == "websocket.close":
            self.closed = message
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
            self.response_headers = {
                name.decode(): value.decode() for name, value in message["headers"]
            }
        else:
            self.body += message["body"]

    # --- Saying --------------------------------------------------------------------

    def say(self, kind: str, **fields: Any) -> None:
        self.say_text(json.dumps({"type": kind, **fields}))

    def say_text(self, text: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, content: bytes) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "bytes": content})

    def hang_up(self, code: int = 1000) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": code})

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first frame behind what was read so far."""
        self.say(kind, **fields)
        return self.next()

    # --- Hearing -------------------------------------------------------------------

    def until(self, ready: Callable[[], bool]) -> None:
        """Lets the loop run; TimeoutError where it does not come to that."""
        self.loop.run_until_complete(self._until(ready))

    async def _until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not ready():
                self.changed.clear()
                await self.changed.wait()

    def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame that was not read yet; of this type, and those before it are
        passed over.
        """
        while True:
            self.until(lambda: len(self.frames) > self.read or self.task.done())
            assert len(self.frames) > self.read, f"closed: {self.closed}"
            frame = self.frames[self.read]
            self.read += 1
            if kind in {None, frame["type"]}:
                return frame

    def news(self) -> list[dict[str, Any]]:
        """All that has come and was not read."""
        fresh, self.read = self.frames[self.read :], len(self.frames)
        return fresh

    @property
    def kinds(self) -> list[str]:
        """Types of the news."""
        return [frame["type"] for frame in self.news()]

    def end(self) -> tuple[int, str] | None:
        """Waits for it: how it was closed, None where it was not."""
        self.until(self.task.done)
        self.task.result()
        closed = self.closed
        return (closed["code"], closed.get("reason", "")) if closed else None

    @property
    def is_open(self) -> bool:
        return bool(self.accepted) and not self.task.done()

    @property
    def problem(self) -> Mapping[str, Any]:
        loaded: Mapping[str, Any] = json.loads(self.body)
        return loaded


def about(sockets: set[Socket], listener: Listener) -> Socket:
    """The server's side of it."""
    (found,) = [
        each
        for each in sockets
        if cast(Any, each.receive).__self__.receive == listener.inbox.get
    ]
    return found
