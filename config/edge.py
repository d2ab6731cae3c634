"""The outermost ASGI layer: what holds for every answer, also those Django never sees.

Request id, client address, refused hosts, plain HTTP, the limits on bytes, the crash
guard, the deadline, security headers and the access line have their one home here.
"""

import asyncio
import re
import time

import structlog
from django.conf import settings

from config import context, errors, policies
from config.addresses import client_address, client_scheme, undo_forwarding
from config.api import problems
from config.asgi_types import Application, Message, Receive, Scope, Send
from config.errors import DomainError
from config.handshakes import Handshake
from config.identifiers import new_id
from config.pace import BULKY_BYTES, Pace, declares_bulk
from config.refusals import is_plain, refuse

REQUEST_ID = re.compile(
    r"\A(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z", re.IGNORECASE
)
# Long enough for every browser; what is stored and parsed is bounded.
MAXIMUM_AGENT = 512

# In `scope["state"]`, by config/protocol.py: nothing the peer says was believed yet.
UNTOUCHED = "untouched"

logger = structlog.get_logger("edge")


class Edge:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.pace = Pace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        headers = _joined_headers(scope)
        _resolve(scope, headers)
        context.enter(
            context.RequestContext(
                request_id=_request_id(headers.get(b"x-request-id", "")),
                address=scope["client"][0],
                agent=headers.get(b"user-agent", "")[:MAXIMUM_AGENT],
            )
        )
        if scope["type"] == "http":
            exchange = Exchange(scope, headers, receive, send, self.pace)
            await exchange.run(self.application)
        else:
            await Handshake(scope, headers, receive, send).run(self.application)


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        scope: Scope,
        headers: dict[bytes, str],
        receive: Receive,
        send: Send,
        pace: Pace,
    ) -> None:
        self.scope = scope
        self.headers = headers
        self.receive = receive
        self.send = send
        self.pace = pace
        self.is_bulky = declares_bulk(headers)
        self.received = 0
        self.complete = False
        self.status = 0
        self.started_at = time.perf_counter()
        self.deadline = asyncio.timeout(None)

    async def run(self, application: Application) -> None:
        try:
            if self.is_bulky:
                await self.pace.keep()
            refuse(self.scope, self.headers)
            if is_plain(self.scope):
                await self.insist_on_https()
                return
            seconds = settings.REQUEST_DEADLINE.total_seconds()
            async with asyncio.timeout(seconds) as self.deadline:
                await application(self.scope, self.counted_receive, self.finished_send)
        except TimeoutError:
            logger.warning("deadline_passed", path=self.scope["path"])
            late = errors.Unavailable if self.complete else errors.RequestTimeout
            await self.answer(late())
        except DomainError as refusal:
            await self.answer(refusal)
        # The last guard: whatever escaped is logged whole and told to nobody.
        except Exception:
            logger.exception("request_crashed")
            await self.answer(errors.InternalError())
        finally:
            self.log()

    async def counted_receive(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received > settings.MAX_BODY_BYTES:
                raise errors.BodyTooLarge
            if self.received > BULKY_BYTES and not self.is_bulky:
                self.is_bulky = True
                await self.pace.keep()
            self.complete = not message.get("more_body", False)
        return message

    async def finished_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *policies.headers_for(self.scope, message),
                (b"x-request-id", context.current().request_id.encode()),
            ]
        await self.send(message)
        if message.get("more_body") and not self.deadline.expired():
            self.postpone()

    def postpone(self) -> None:
        """A piece was taken: for the next there is as long again."""
        so_far = time.perf_counter() - self.started_at
        rest = settings.STREAM_DEADLINE.total_seconds() - so_far
        seconds = min(settings.REQUEST_DEADLINE.total_seconds(), rest)
        self.deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    async def insist_on_https(self) -> None:
        """Pages move; a call is refused, or it would send its token in clear twice."""
        if self.scope["path"].startswith("/api/"):
            raise errors.SecureTransportRequired
        path = self.scope.get("raw_path", b"/").decode("latin-1")
        query = self.scope["query_string"].decode()
        location = f"https://{self.headers[b'host']}{path}{'?' * bool(query)}{query}"
        await self.reply(308, b"", {"Location": location})

    async def answer(self, problem: DomainError) -> None:
        """Where an answer has begun, the only honest end is a broken connection."""
        if self.status:
            raise ConnectionAbortedError(problem.code)
        fields = {"Content-Type": problems.CONTENT_TYPE} | problems.headers(problem)
        fields |= policies.cross_origin(self.headers.get(b"origin", ""))
        await self.reply(problem.status, problems.encode(problem), fields)

    async def reply(self, status: int, body: bytes, fields: dict[str, str]) -> None:
        fields["Content-Length"] = str(len(body))
        headers = [(k.lower().encode(), v.encode()) for k, v in fields.items()]
        await self.finished_send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await self.finished_send({"type": "http.response.body", "body": body})

    def log(self) -> None:
        logger.info(
            "request",
            method=self.scope["method"],
            path=self.scope["path"],
            status=self.status,
            milliseconds=round((time.perf_counter() - self.started_at) * 1000, 1),
        )


# --- What the request says of itself -----------------------------------------------


def _joined_headers(scope: Scope) -> dict[bytes, str]:
    """By name. Empty where they are too large to be looked at."""
    joined: dict[bytes, str] = {}
    if sum(len(k) + len(v) for k, v in scope["headers"]) > settings.MAX_HEADER_BYTES:
        return joined
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined


def _resolve(scope: Scope, headers: dict[bytes, str]) -> None:
    """From here on, `client` and `scheme` are what the trusted proxies say."""
    trusted = settings.TRUSTED_PROXY_COUNT
    forwarded_for = headers.get(b"x-forwarded-for", "")
    forwarded_proto = headers.get(b"x-forwarded-proto", "")
    peer, port = scope.get("client") or ("", 0)
    scheme = scope.get("scheme", "http")
    if not scope.get("state", {}).get(UNTOUCHED):
        # Uvicorn started without our options believes these headers already, of peers on
        # loopback. What it believed is taken back; the rule below is the only one.
        peer = undo_forwarding(peer, forwarded_for)
        scheme = "http" if forwarded_proto else scheme
    scope["client"] = (client_address(peer, forwarded_for, trusted), port)
    scope["scheme"] = client_scheme(scheme, forwarded_proto, trusted)


def _request_id(claimed: str) -> str:
    return claimed if REQUEST_ID.match(claimed) else str(new_id())
