"""One hop from the event loop to Django's synchronous handler.

Django's own ASGI handler changes threads for every middleware hook and starts a thread
for each request. Here the body is read on the loop, the whole synchronous chain runs
in one call on a fixed pool of persistent threads, and the answer is sent from the loop.
Waiting happens on the loop, before the hop, where it costs no thread.
"""

import asyncio
import io
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from config.asgi_types import Message, Receive, Scope, Send
from config.errors import Unavailable

# Where a password is hashed: 20 ms of a core each, so they must not take every thread.
HASHING_CALLS = frozenset(
    (method, f"{settings.API_PREFIX}{path}")
    for method, path in (
        ("POST", "/auth/register"),
        ("POST", "/auth/login"),
        ("POST", "/auth/login/oauth"),
        ("POST", "/auth/password-reset/confirm"),
        ("POST", "/users/me/email"),
        ("PATCH", "/users/me/password"),
        ("DELETE", "/users/me"),
    )
)

# At once, in a process: each holds a thread and a connection for as long as it is read.
STREAMS = 2

logger = structlog.get_logger("hop")


def may_hash(method: str, path: str) -> bool:
    """Under the console's path any form may bring a password: to sign in, or to confirm
    what is dangerous.
    """
    if (method, path) in HASHING_CALLS:
        return True
    console = settings.ADMIN_PATH
    return method == "POST" and bool(console) and path.startswith(f"/{console}")


class Slots:
    """A bounded queue for a number of threads. Lives on one event loop."""

    def __init__(self, number: int, queue: int) -> None:
        self.semaphore = asyncio.Semaphore(number)
        self.queue = queue
        self.waiting = 0

    async def acquire(self) -> None:
        """Raises Unavailable where the queue is full or the wait too long."""
        if not self.semaphore.locked():
            await self.semaphore.acquire()
            return
        if self.waiting >= self.queue:
            raise Unavailable(retry_after=1)
        self.waiting += 1
        try:
            async with asyncio.timeout(settings.QUEUE_DEADLINE.total_seconds()):
                await self.semaphore.acquire()
        except TimeoutError as exc:
            raise Unavailable(retry_after=1) from exc
        finally:
            self.waiting -= 1

    def release(self) -> None:
        self.semaphore.release()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Hop(BaseHandler):
    """Raises Unavailable before the hop; behind it, Django answers everything."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware(is_async=False)
        threads = settings.WEB_THREADS
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="django")
        self.slots = Slots(threads, settings.QUEUE_LENGTH)
        self.hashing_slots = Slots(max(1, threads - 2), settings.QUEUE_LENGTH)
        self.stream_threads = ThreadPoolExecutor(STREAMS, thread_name_prefix="stream")
        self.stream_slots = Slots(STREAMS, settings.QUEUE_LENGTH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        answer = await self.answer(scope, body)
        if isinstance(answer, Answer):
            await _send_whole(answer, send)
        else:
            await self.stream(answer, receive, send)

    async def answer(self, scope: Scope, body: bytes) -> "Answer | HttpResponseBase":
        # The hashing slot first: those who wait for it must hold no other.
        wanted = [self.slots]
        if may_hash(scope["method"], scope["path"]):
            wanted.insert(0, self.hashing_slots)
        async with AsyncExitStack() as held:
            for slots in wanted:
                await slots.acquire()
                held.callback(slots.release)
            work = self.threads.submit(copy_context().run, self.respond, scope, body)
            try:
                return await asyncio.wrap_future(work)
            finally:
                if not work.done():
                    # Past the deadline the thread is still busy, and so are its slots.
                    _release_later(held.pop_all(), asyncio.get_running_loop(), work)

    def respond(self, scope: Scope, body: bytes) -> "Answer | HttpResponseBase":
        """On a thread of the pool: the whole of Django, but for a stream's pieces."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request = ASGIRequest(scope, io.BytesIO(body))
        # A chunked body has no length of its own, and DRF reads none without one.
        request.META["CONTENT_LENGTH"] = str(len(body))
        response = self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # who sends request_finished
        if not isinstance(response, HttpResponse):
            return response
        try:
            return Answer(response.status_code, _headers(response), response.content)
        finally:
            # Sends request_finished: a connection that is broken or too old is closed.
            response.close()

    async def stream(
        self, response: HttpResponseBase, receive: Receive, send: Send
    ) -> None:
        """On a thread that is there for streams alone: a slow reader must not hold up who
        waits for an answer.
        """
        loop = asyncio.get_running_loop()
        stream = Stream(loop, send)
        async with AsyncExitStack() as held:
            held.callback(response.close)
            await self.stream_slots.acquire()
            # From here on the thread that reads it closes it.
            held.pop_all()
            held.callback(self.stream_slots.release)
            work = self.stream_threads.submit(copy_context().run, stream.write, response)
            listening = asyncio.create_task(_notice_hang_up(receive, stream))
            try:
                await asyncio.wrap_future(work)
            except ReaderGone:
                logger.info("reader_gone")
            finally:
                listening.cancel()
                if not work.done():
                    stream.abandoned = True
                    _release_later(held.pop_all(), loop, work)


class ReaderGone(ConnectionAbortedError):
    """Nobody waits for the rest."""


class Stream:
    """Sends pieces from the thread that makes them, at the pace of the reader.

    It stays on that thread because the database connection behind an iterator does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self.loop = loop
        self.send = send
        self.abandoned = False

    def write(self, response: Any) -> None:
        """`asyncio.TimeoutError` where the reader does not read."""
        # Another thread, another connection: to be looked at, and given up, all the same.
        signals.request_started.send(sender=Hop)
        try:
            self._write(response.status_code, _headers(response), response)
        finally:
            response.close()

    def _write(
        self, status: int, headers: list[tuple[bytes, bytes]], pieces: Iterable[bytes]
    ) -> None:
        self._wait({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            self._wait({"type": "http.response.body", "body": piece, "more_body": True})
        self._wait({"type": "http.response.body", "body": b""})

    def _wait(self, message: Message) -> None:
        if self.abandoned:
            raise ReaderGone
        sent = asyncio.run_coroutine_threadsafe(_deliver(self.send, message), self.loop)
        sent.result(settings.REQUEST_DEADLINE.total_seconds())


async def _notice_hang_up(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.abandoned = True


async def _deliver(send: Send, message: Message) -> None:
    await send(message)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, bounded by the edge; None where the client has gone."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in response.items()
    ]
    headers += [
        (b"set-cookie", morsel.OutputString().encode("ascii"))
        for morsel in response.cookies.values()
    ]
    if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
        headers.append((b"content-length", str(len(response.content)).encode()))
    return headers


async def _send_whole(answer: Answer, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": answer.headers,
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _release_later(
    held: AsyncExitStack, loop: asyncio.AbstractEventLoop, work: "Future[Any]"
) -> None:
    def release(_: "Future[Any]") -> None:
        if not loop.is_closed():
            asyncio.run_coroutine_threadsafe(held.aclose(), loop)

    work.add_done_callback(release)
