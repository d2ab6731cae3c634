"""Uvicorn's WebSocket protocol where the wire itself has to keep our promises."""

import asyncio
import socket

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# What a peer has not taken by then it will not take: the kernel ends the connection, also
# behind a close that waits for it (RFC 5482; zero windows count on Linux).
UNTAKEN_MILLISECONDS = 30_000


class SocketProtocol(WebSocketsSansIOProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        wire = transport.get_extra_info("socket")
        if wire.family in {socket.AF_INET, socket.AF_INET6}:
            option = getattr(socket, "TCP_USER_TIMEOUT", None)
            if option is not None:
                wire.setsockopt(socket.IPPROTO_TCP, option, UNTAKEN_MILLISECONDS)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # Else uvicorn reports an answer as a fault of the application.
            self.handshake_complete = True
