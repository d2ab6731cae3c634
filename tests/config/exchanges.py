"""ASGI by hand, for what no client library would send or bear."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx

from config.asgi_types import Application, Message, Scope

Sending = Callable[[Message], Awaitable[None]]

END: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def part(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": True}


def scope(method: str, path: str, *headers: tuple[bytes, bytes], **more: Any) -> Scope:
    """Of a request from a peer; `client` and all else can be replaced."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("198.51.100.7", 40000),
        "headers": [(b"host", b"testserver"), *headers],
        **more,
    }


class Exchange:
    """One request sent part by part, and whatever came back."""

    def __init__(self, parts: Iterable[Message] = (END,), send: Sending | None = None):
        self.parts = iter(parts)
        self.sent: list[Message] = []
        self.sending = send

    async def receive(self) -> Message:
        """After the last part the client just waits."""
        for message in self.parts:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self.sending:
            await self.sending(message)

    async def run(self, application: Application, scope: Scope) -> None:
        await application(scope, self.receive, self.send)

    async def ask(self, application: Application, scope: Scope) -> httpx.Response:
        await self.run(application, scope)
        return self.answer

    @property
    def answer(self) -> httpx.Response:
        [start] = [m for m in self.sent if m["type"] == "http.response.start"]
        bodies = [m.get("body", b"") for m in self.sent if m is not start]
        return httpx.Response(
            start["status"], headers=start["headers"], content=b"".join(bodies)
        )
