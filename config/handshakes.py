"""The edge of a socket: what holds for every handshake, and the line that is logged."""

import time
from http import HTTPStatus

import structlog
from django.conf import settings

from config import context, errors, policies
from config.api import problems
from config.asgi_types import Application, Message, Receive, Scope, Send
from config.errors import DomainError
from config.health import Draining
from config.refusals import SECURE_SCHEMES, is_plain, refuse

CRASHED = 1011

logger = structlog.get_logger("edge")


class Handshake:
    """One socket, from the wish for it to its end."""

    def __init__(
        self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send
    ) -> None:
        self.scope = scope
        self.headers = headers
        self.receive = receive
        self.send = send
        self.accepted = False
        # As RFC 6455 §7.1.5 has it, where neither side said anything.
        self.code = 1006
        self.started_at = time.perf_counter()

    async def run(self, application: Application) -> None:
        try:
            self.check()
            await application(self.scope, self.noted_receive, self.noted_send)
        except DomainError as refusal:
            await self.answer(refusal)
        # The last guard, as that of a request.
        except Exception:
            logger.exception("socket_crashed")
            await self.give_up()
        finally:
            self.log()

    def check(self) -> None:
        """Raises the DomainError that says why not."""
        refuse(self.scope, self.headers)
        if is_plain(self.scope):
            raise errors.SecureTransportRequired
        if not is_known_origin(self.scope, self.headers):
            raise errors.OriginNotAllowed
        if Draining.begun:
            raise errors.Unavailable(retry_after=1)

    async def noted_receive(self) -> Message:
        message = await self.receive()
        if message["type"] == "websocket.disconnect":
            self.code = message.get("code", self.code)
        return message

    async def noted_send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = True
            request_id = (b"x-request-id", context.current().request_id.encode())
            message["headers"] = [*message.get("headers", ()), request_id]
        elif message["type"] == "websocket.close":
            self.code = message["code"]
        await self.send(message)

    async def answer(self, problem: DomainError) -> None:
        """Before the socket is open: over HTTP, where the server can."""
        self.code = problem.status
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.send({"type": "websocket.close", "code": HTTPStatus.FORBIDDEN})
            return
        body = problems.encode(problem)
        fields = {"Content-Type": problems.CONTENT_TYPE} | problems.headers(problem)
        fields |= {"Content-Length": str(len(body)), "Connection": "close"}
        start: Message = {
            "type": "websocket.http.response.start",
            "status": problem.status,
            "headers": [(k.lower().encode(), v.encode()) for k, v in fields.items()],
        }
        start["headers"] += [
            *policies.headers_for(self.scope, start),
            (b"x-request-id", context.current().request_id.encode()),
        ]
        await self.send(start)
        await self.send({"type": "websocket.http.response.body", "body": body})

    async def give_up(self) -> None:
        if self.accepted:
            await self.noted_send({"type": "websocket.close", "code": CRASHED})
        else:
            await self.answer(errors.InternalError())

    def log(self) -> None:
        logger.info(
            "socket",
            path=self.scope["path"],
            code=self.code,
            seconds=round(time.perf_counter() - self.started_at, 1),
        )


def is_known_origin(scope: Scope, headers: dict[bytes, str]) -> bool:
    """One that CORS allows, or our own (RFC 6454 §4): compared as text, so that nothing
    in it is parsed. Without an Origin there is no socket: programs can say one.
    """
    origin = headers.get(b"origin", "")
    scheme = "https" if scope["scheme"] in SECURE_SCHEMES else "http"
    own = f"{scheme}://{headers.get(b'host', '')}".lower()
    # CSRF_TRUSTED_ORIGINS is that of PUBLIC_URL, where there is one.
    known = {own, *settings.CSRF_TRUSTED_ORIGINS, *settings.CORS_ALLOWED_ORIGINS}
    return origin in known
