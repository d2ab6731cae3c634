"""Uvicorn's HTTP protocol where the wire itself has to keep our promises.

What never becomes a request no layer above can answer: what the parser refuses, a head
that is too large or never ends, more pipelined requests than anybody needs. And an
absolute request line names its host before any header does (RFC 9112 §3.2.2).
"""

import asyncio

import httptools
import structlog
from django.conf import settings
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

import config.asgi  # noqa: F401  # sets Django up, whichever of the two is loaded first
from config import context, errors, policies
from config.api import problems
from config.edge import UNTOUCHED
from config.errors import DomainError
from config.identifiers import new_id
from config.sockets import unfit

# Twice what the edge takes, so that whoever is only a little over hears of it there.
MAXIMUM_HEAD_BYTES = 2 * settings.MAX_HEADER_BYTES
# And what one read of the socket may bring on top of it.
MAXIMUM_UNREAD_BYTES = MAXIMUM_HEAD_BYTES + 256 * 1024
# Browsers pipeline nothing; a queue without end would eat the memory.
MAXIMUM_PIPELINE = 16
PHRASES = {400: b"Bad Request", 408: b"Request Timeout"}
PHRASES |= {431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}
# For the first request of a connection that was opened as the server was told to stop.
LAST_REQUEST_SECONDS = 1.0


logger = structlog.get_logger("protocol")


class Refused(Exception):
    """Raised in a callback of the parser, which then ends the connection."""


class Protocol(HttpToolsProtocol):
    awaits_head = False
    head_bytes = 0
    unread_bytes = 0
    head_timer: asyncio.TimerHandle | None = None
    running: RequestResponseCycle | None = None
    refusal: type[DomainError] = errors.MalformedRequest
    stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        self._abandon()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Uvicorn would close at once where nothing was asked yet, and so break off a
        request that is on its way. Who was answered before, tries anew (RFC 9112 §9.3.1).
        """
        self.stopping = True
        if self.cycle is None:
            self.loop.call_later(LAST_REQUEST_SECONDS, self._close_unasked)
        else:
            super().shutdown()

    def _close_unasked(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """The parser tells of a header once it has all of it, so raw bytes count too."""
        if self.awaits_head:
            self.unread_bytes += len(data)
            if self.unread_bytes > MAXIMUM_UNREAD_BYTES:
                self._refuse(errors.HeadersTooLarge())
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][UNTOUCHED] = True
        self.head_bytes = 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_is_there()
        if len(self.pipeline) >= MAXIMUM_PIPELINE:
            raise Refused
        if authority := _authority(self.url):
            others = [(name, value) for name, value in self.headers if name != b"host"]
            self.headers[:] = [*others, (b"host", authority)]
        super().on_headers_complete()
        if self.stopping and self.cycle:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        # Those of the console and of others on this host: no socket reads one, and many
        # are longer than the library takes a line to be.
        self.headers[:] = [header for header in self.headers if header[0] != b"cookie"]
        head = [self.scope["method"].encode(), b" ", self.url, b" HTTP/1.1\r\n"]
        head += [b"%s: %s\r\n" % header for header in self.headers]
        problem = unfit(b"".join([*head, b"\r\n"]))
        if self.running and not self.running.response_complete:
            # Its answer would come in the middle of the frames.
            problem = errors.MalformedRequest()
        if self.stopping:
            problem = errors.Unavailable(retry_after=1)
        if problem:
            self._refuse(problem)
        else:
            self._head_is_there()
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self.refusal())

    def _count(self, number: int) -> None:
        self.head_bytes += number
        if self.head_bytes > MAXIMUM_HEAD_BYTES:
            self.refusal = errors.HeadersTooLarge
            raise Refused

    def _start_asgi_task(
        self, cycle: RequestResponseCycle, app: ASGI3Application
    ) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _abandon(self) -> None:
        """Uvicorn tells the last request of a pipeline only; the one running must know
        as well that nobody listens, and those behind it need not begin.
        """
        self.pipeline.clear()
        if self.running:
            self.running.disconnected = True
            self.running.message_event.set()

    def _expect_head(self) -> None:
        self._head_is_there()
        self.awaits_head = True
        wait = settings.REQUEST_DEADLINE.total_seconds()
        self.head_timer = self.loop.call_later(wait, self._give_up)

    def _head_is_there(self) -> None:
        self.awaits_head = False
        self.unread_bytes = 0
        if self.head_timer:
            self.head_timer.cancel()

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self._refuse(errors.RequestTimeout())

    def _refuse(self, problem: DomainError) -> None:
        """As every refusal: a problem document, the headers of the edge, a request id."""
        address = self.client[0] if self.client else ""
        context.enter(context.RequestContext(request_id=str(new_id()), address=address))
        logger.info("unread_request", status=problem.status, code=problem.code)
        body = problems.encode(problem)
        own = {"Connection": "close"} | problems.headers(problem)
        headers = [
            (b"content-type", problems.CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in own.items()),
            (b"x-request-id", context.current().request_id.encode()),
            *policies.unread_request_headers(secure=self.scheme == "https"),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        status = b"HTTP/1.1 %d %s\r\n" % (problem.status, PHRASES[problem.status])
        self._abandon()
        self.transport.write(b"".join([status, *lines, b"\r\n", body]))
        self.transport.close()


def _authority(url: bytes) -> bytes:
    """`host[:port]` of an absolute request target, else empty."""
    if url.startswith(b"/"):
        return b""
    parsed = httptools.parse_url(url)
    host: bytes = parsed.host or b""
    return host if parsed.port is None else b"%s:%d" % (host, parsed.port)
