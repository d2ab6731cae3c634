"""Clients of live events: polite ones by the package `websockets`, and raw ones for what
no library would send.
"""

import asyncio
import base64
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from channels_redis.pubsub import RedisPubSubChannelLayer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests import servers
from tests.live_servers.calls import Answer

PATH = "/ws/v1/events"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
PATIENCE = 10.0


# --- Polite clients ------------------------------------------------------------------


@dataclass
class Client:
    """Reads all the time, so that nothing waits for it; keeps what it was told."""

    line: ClientConnection
    frames: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None
    reason: str = ""
    closed_at: float = 0.0
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        try:
            async for text in self.line:
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            pass
        self.code, self.reason = self.line.close_code, self.line.close_reason or ""
        self.closed_at = time.monotonic()

    async def say(self, kind: str, **more: Any) -> None:
        await self.line.send(json.dumps({"type": kind, **more}))

    async def told(self, kind: str, seconds: float = PATIENCE, **more: Any) -> Any:
        """The first frame of that type, with these members. Raises TimeoutError."""
        return await until(
            lambda: next(
                (
                    f
                    for f in self.frames
                    if f["type"] == kind and more.items() <= f.items()
                ),
                None,
            ),
            seconds,
        )

    async def ended(self, seconds: float = PATIENCE) -> int:
        """The code of its close. Raises TimeoutError."""
        await until(lambda: self.closed_at, seconds)
        return self.code or 0

    @property
    def ids(self) -> list[str]:
        return [frame["id"] for frame in self.frames if "id" in frame]


async def until(found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.01)
    return value


async def dial(url: str, token: str, *, ready: bool = True, **more: Any) -> Client:
    options: dict[str, Any] = {
        "origin": Origin(url),
        "additional_headers": {"Authorization": f"Bearer {token}"},
        "compression": None,
        "proxy": None,
        "open_timeout": 30,
        "close_timeout": 5,
        **more,
    }
    client = Client(await connect(url.replace("http", "ws", 1) + PATH, **options))
    client.reading = asyncio.create_task(client.read())
    if ready:
        await client.told("ready", 30)
    return client


@asynccontextmanager
async def opened(url: str, *tokens: str, **more: Any) -> AsyncIterator[list[Client]]:
    """A socket for each token, all at once, each of which was told `ready`."""
    dials = [asyncio.create_task(dial(url, token, **more)) for token in tokens]
    clients: list[Client] = []
    try:
        for each in dials:
            clients.append(await each)
        yield clients
    finally:
        for each in dials:
            each.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        await hang_up(*clients)


async def hang_up(*clients: Client) -> None:
    await asyncio.gather(*(c.line.close() for c in clients), return_exceptions=True)
    reading = [client.reading for client in clients if client.reading]
    await asyncio.gather(*reading, return_exceptions=True)


# --- Raw clients ---------------------------------------------------------------------


def head(
    url: str,
    token: str = "",
    *more: tuple[str, str],
    method: str = "GET",
    path: str = PATH,
    without: Sequence[str] = (),
) -> bytes:
    """The handshake; `more` is added, `without` left out."""
    fields = [
        ("Host", urlsplit(url).netloc),
        ("Origin", url),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode()),
        ("Sec-WebSocket-Version", "13"),
        ("Authorization", f"Bearer {token}"),
    ]
    lines = [f"{name}: {value}" for name, value in fields if name not in without]
    lines += [f"{name}: {value}" for name, value in more]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def plug(url: str, *, buffer: int = 0, source: str = "") -> socket.socket:
    address = urlsplit(url)
    line = socket.socket()
    line.settimeout(PATIENCE)
    if buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if source:
        line.bind((source, 0))
    line.connect((address.hostname, address.port))
    return line


@contextmanager
def raw(url: str, token: str, *more: tuple[str, str], **how: Any) -> Iterator["Raw"]:
    """An open socket that nobody reads; only its `ready` was read."""
    with closing(plug(url, **how)) as line:
        line.sendall(head(url, token, *more))
        wire = Raw(line)
        assert wire.status() == 101
        yield wire


@dataclass
class Raw:
    line: socket.socket
    unread: bytes = b""

    def status(self) -> int:
        """Of the answer to the handshake; what follows is kept."""
        while b"\r\n\r\n" not in self.unread:
            self._more()
        start, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return int(start.split()[1])

    def _more(self) -> None:
        if not (data := self.line.recv(65_536)):
            raise EOFError
        self.unread += data

    def _take(self, number: int) -> bytes:
        while len(self.unread) < number:
            self._more()
        taken, self.unread = self.unread[:number], self.unread[number:]
        return taken

    def frame(self) -> tuple[int, bytes]:
        first, length = self._take(2)
        if length == 126:
            [length] = struct.unpack("!H", self._take(2))
        elif length == 127:
            [length] = struct.unpack("!Q", self._take(8))
        return first & 15, self._take(length)

    def told(self, kind: str) -> dict[str, Any]:
        while True:
            opcode, content = self.frame()
            if opcode == TEXT and (found := json.loads(content))["type"] == kind:
                return dict(found)

    def closed(self, seconds: float = PATIENCE) -> int:
        """The code of the close; 0 where the connection ended without one."""
        self.line.settimeout(seconds)
        try:
            while True:
                opcode, content = self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(content[:2], "big")
        except (EOFError, ConnectionError):
            return 0

    def send(self, *frames: bytes) -> None:
        self.line.sendall(b"".join(frames))


def frame(
    opcode: int, content: bytes = b"", *, first: int = 0x80, masked: bool = True
) -> bytes:
    """`first` is the bits before the opcode: FIN, and what must not be there."""
    mask = os.urandom(4) if masked else b""
    size, bit = len(content), 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65_536:
        length = bytes([bit | 126]) + struct.pack("!H", size)
    else:
        length = bytes([bit | 127]) + struct.pack("!Q", size)
    if masked:
        stretched = (mask * (size // 4 + 1))[:size]
        number = int.from_bytes(content, "big") ^ int.from_bytes(stretched, "big")
        content = number.to_bytes(size, "big")
    return bytes([first | opcode]) + length + mask + content


def text(kind: str, **more: Any) -> bytes:
    return frame(TEXT, json.dumps({"type": kind, **more}).encode())


def answer(url: str, *pieces: bytes, seconds: float = 3, **how: Any) -> Answer:
    """What is answered to a handshake that is none. Raises TimeoutError."""
    with closing(plug(url, **how)) as line:
        line.settimeout(seconds)
        for piece in pieces:
            line.sendall(piece)
        with closing(HTTPResponse(line)) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())


# --- Redis of one's own --------------------------------------------------------------


class OwnRedis:
    """To be stopped and frozen; by its id alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = servers.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = subprocess.Popen(  # noqa: S603  # our own arguments
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                    return
            except redis.RedisError:
                time.sleep(0.02)
        raise TimeoutError

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def freeze(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="live-redis-") as folder:
        store = OwnRedis(Path(folder))
        store.start()
        try:
            yield store
        finally:
            store.kill()


def layer(url: str) -> RedisPubSubChannelLayer:
    """As a server with that REDIS_URL has it."""
    number = urlsplit(url).path.strip("/") or "0"
    return RedisPubSubChannelLayer(hosts=[url], prefix=f"live{number}-")


HAS_REDIS = shutil.which("redis-server") is not None


# --- What a server looks like --------------------------------------------------------


def lines(log: Path, since: int = 0) -> list[dict[str, Any]]:
    """What it logged as JSON."""
    text = log.read_bytes()[since:].decode(errors="replace")
    return [json.loads(each) for each in text.splitlines() if each.startswith("{")]


def errors(log: Path, since: int = 0) -> list[dict[str, Any]]:
    return [e for e in lines(log, since) if e["level"] in {"error", "critical"}]


def memory_kib(pid: int) -> int:
    return servers.processes()[pid].memory_kib


def files(pid: int) -> int:
    return len(list((servers.PROC / str(pid) / "fd").iterdir()))


def threads(pid: int) -> int:
    return len(list((servers.PROC / str(pid) / "task").iterdir()))


def secret() -> str:
    return secrets.token_hex(8)


# --- Servers -------------------------------------------------------------------------

QUIET = {
    "ARGON2_MEMORY_KIB": "8",
    "ARGON2_PASSES": "1",
    "RATELIMIT_ENABLE": "false",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "INFO",
    "SOCKETS_PER_ADDRESS": "2000",
}


@dataclass(frozen=True)
class Process:
    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def serving(
    database: str,
    folder: Path,
    *,
    redis_url: str = "",
    command: Sequence[str] = servers.SERVE,
    **more: str,
) -> Iterator[Process]:
    """A server with a log of its own."""
    log = folder / f"{secret()}.log"
    settings = servers.environment(database, **{"REDIS_URL": redis_url} | QUIET | more)
    with servers.running(settings, log=log, command=command) as (process, url):
        yield Process(process, url, log)
