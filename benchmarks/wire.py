"""Counts what a server says to PostgreSQL, on the wire: a relay between the two.

Nothing inside the server has to be changed or believed: BEGIN and COMMIT, and what a
driver says on its own, count as they come (PostgreSQL's protocol 3, without TLS).
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit, urlunsplit

BUFFER = 65_536
LENGTH_BYTES = 4
# Messages of a client: a whole statement, a prepared one, and the end of a round trip.
QUERY, EXECUTE, SYNC = b"Q", b"E", b"S"


@dataclass
class Tally:
    connections: int = 0
    statements: int = 0
    round_trips: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, connections: int = 0, statements: int = 0, trips: int = 0) -> None:
        with self.lock:
            self.connections += connections
            self.statements += statements
            self.round_trips += trips

    def reset(self) -> None:
        with self.lock:
            self.connections = self.statements = self.round_trips = 0


class Client:
    """What one client has said so far; only its first message has no type before it."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.rest = b""
        self.type_bytes = 0

    def hear(self, data: bytes) -> None:
        self.rest += data
        while len(self.rest) >= (size := self._size()):
            message, self.rest = self.rest[:size], self.rest[size:]
            self._count(message)
            self.type_bytes = 1

    def _size(self) -> int:
        """Of the first message in the rest, or more than there is."""
        head = self.type_bytes + LENGTH_BYTES
        if len(self.rest) < head:
            return head
        return self.type_bytes + int.from_bytes(self.rest[self.type_bytes : head])

    def _count(self, message: bytes) -> None:
        kind = message[: self.type_bytes]
        if not kind:
            self.tally.add(connections=1)
        elif kind == QUERY:
            # An empty one asks whether the connection lives: a trip, not a statement.
            text = message[1 + LENGTH_BYTES :].strip(b"\0 ;")
            self.tally.add(statements=bool(text), trips=1)
        elif kind == EXECUTE:
            self.tally.add(statements=1)
        elif kind == SYNC:
            self.tally.add(trips=1)


@contextmanager
def counting(database_url: str) -> Iterator[tuple[str, Tally]]:
    """The URL to use instead, and what was said through it so far."""
    parts = urlsplit(database_url)
    upstream = (parts.hostname or "127.0.0.1", parts.port or 5432)
    tally = Tally()

    class Relay(BaseRequestHandler):
        def handle(self) -> None:
            _relay(self.request, upstream, Client(tally))

    with ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        try:
            yield _through(database_url, relay.server_address[1]), tally
        finally:
            relay.shutdown()


def _through(database_url: str, port: int) -> str:
    parts = urlsplit(database_url)
    account, _, _ = parts.netloc.rpartition("@")
    netloc = f"{account}@127.0.0.1:{port}" if account else f"127.0.0.1:{port}"
    plain = "sslmode=disable&gssencmode=disable"
    return urlunsplit(parts._replace(netloc=netloc, query=plain))


def _relay(near: socket.socket, upstream: tuple[str, int], client: Client) -> None:
    with socket.create_connection(upstream) as far:
        answers = threading.Thread(target=_copy, args=(far, near, None), daemon=True)
        answers.start()
        _copy(near, far, client)
        answers.join()


def _copy(source: socket.socket, target: socket.socket, client: Client | None) -> None:
    """Until either side has gone, which is how connections end."""
    with contextlib.suppress(OSError):
        while data := source.recv(BUFFER):
            if client:
                client.hear(data)
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
