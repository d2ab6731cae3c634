"""Uvicorn's WebSocket protocol where the wire itself has to keep our promises."""

import asyncio
import socket
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import SecurityError
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from config import errors
from config.edge import UNTOUCHED
from config.errors import DomainError

# What a peer has not taken by then it will not take: the kernel ends the connection, also
# behind a close that waits for it (RFC 5482; zero windows count on Linux).
UNTAKEN_MILLISECONDS = 30_000
# Of one message. Empty ones add nothing to its size, so they are counted.
MAXIMUM_FRAGMENTS = 1024
TOO_BIG = 1009
# In which a peer can take the close that a stopping server sends.
SHUTDOWN_SECONDS = 2.0


def unfit(head: bytes) -> DomainError | None:
    """Why this head of a request begins no WebSocket (RFC 6455 §4.2.1); None if it does.

    Uvicorn would answer in a form of its own, and where the head cannot be read, never.
    """
    probe = ServerProtocol()
    probe.receive_data(head)
    for request in probe.events_received():
        if isinstance(request, Request):
            response = probe.accept(request)
            fit = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
            return None if fit else errors.MalformedRequest()
    if isinstance(probe.handshake_exc, SecurityError):
        return errors.HeadersTooLarge()
    return errors.MalformedRequest()


class SocketProtocol(WebSocketsSansIOProtocol):
    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        # As on a call: nothing the peer says was believed yet.
        super().__init__(config, server_state, app_state | {UNTOUCHED: True})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        wire = transport.get_extra_info("socket")
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if wire.family in {socket.AF_INET, socket.AF_INET6} and option is not None:
            wire.setsockopt(socket.IPPROTO_TCP, option, UNTAKEN_MILLISECONDS)

    def pause_writing(self) -> None:
        """Who does not read is not read either: each ping would leave a pong behind."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def shutdown(self) -> None:
        super().shutdown()
        # Who does not read must not hold up the end of the server.
        self.loop.call_later(SHUTDOWN_SECONDS, self.transport.abort)

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            # What came in the same packet, behind the end.
            return
        if len(self.frames) >= MAXIMUM_FRAGMENTS:
            self.conn.send_close(TOO_BIG)
            self.handle_parser_exception()
        else:
            super().handle_cont(event)
