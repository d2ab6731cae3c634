"""`python -m benchmarks.live [--write]`: thousands of sockets, one event."""

import asyncio
import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from uuid import uuid4

import psycopg
from websockets import ClientConnection, ConnectionClosed, Origin
from websockets.asyncio.client import connect

from benchmarks import databases, machine, people, results
from benchmarks.command import carry_out
from benchmarks.failures import RunFailed
from benchmarks.processes import memory_mib
from benchmarks.servers import Server, serving
from benchmarks.sides import HEADERS, OURS, RATE_LIMITS

SOCKETS = 2000
ROUNDS = 5
# Opening at once.
OPENERS = 50
PATH = "/ws/v1/events"
WITHOUT_LIMITS = {
    "SOCKETS_PER_USER": "1000000",
    "SOCKETS_PER_ADDRESS": "1000000",
    "RATE_LIMITS": f"{RATE_LIMITS},live=1000000000,update_organization=1000000",
}
UNAUTHENTICATED = 4401


@dataclass(frozen=True, slots=True)
class Result:
    """Memory in MiB; the rest in seconds, from the call to the last socket."""

    sockets: int
    memory_before: float
    memory_open: float
    opening: float
    reached: Sequence[float]
    closed: float


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    wanted = parser.parse_args()
    return carry_out(partial(run, wanted.sockets, write=wanted.write))


def run(sockets: int, *, write: bool) -> int:
    with (
        databases.filled(OURS),
        serving(OURS, workers=1, core=None, **WITHOUT_LIMITS) as server,
    ):
        found = asyncio.run(Crowd(server, sockets).measure())
        text = markdown(found)
    sys.stdout.write(f"\n{text}")
    if write:
        results.replace(results.LIVE, text)
    return 0


class Crowd:
    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.number = number
        self.token = server.sign_in(people.SUPERUSER).access
        self.tenant = _make_tenant()
        self.room = asyncio.Semaphore(OPENERS)

    async def measure(self) -> Result:
        before = memory_mib(self.server.pid)
        begun = time.perf_counter()
        sockets = await asyncio.gather(*(self._follow() for _ in range(self.number)))
        opening = time.perf_counter() - begun
        reached = [await self._tell(sockets, number) for number in range(ROUNDS)]
        result = Result(
            sockets=self.number,
            memory_before=before,
            memory_open=memory_mib(self.server.pid),
            opening=opening,
            reached=reached,
            closed=await self._end_one(),
        )
        await asyncio.gather(*(socket.close() for socket in sockets))
        return result

    async def _open(self, token: str) -> ClientConnection:
        socket = await connect(
            f"ws://127.0.0.1:{self.server.port}{PATH}",
            origin=Origin(f"https://127.0.0.1:{self.server.port}"),
            additional_headers=HEADERS | {"Authorization": f"Bearer {token}"},
            compression=None,
            ping_interval=None,
        )
        await _expect(socket, "ready")
        return socket

    async def _follow(self) -> ClientConnection:
        async with self.room:
            socket = await self._open(self.token)
            frame = {"type": "subscribe", "organization_id": self.tenant}
            await socket.send(json.dumps(frame))
            await _expect(socket, "subscribed")
            return socket

    async def _tell(self, sockets: Sequence[ClientConnection], number: int) -> float:
        waiting = [
            asyncio.create_task(_expect(socket, "organization.updated"))
            for socket in sockets
        ]
        begun = time.perf_counter()
        await asyncio.to_thread(
            self.server.call,
            "PATCH",
            f"/api/v1/organizations/{self.tenant}",
            body={"name": f"Round {number} {begun}"},
            token=self.token,
        )
        await asyncio.gather(*waiting)
        return time.perf_counter() - begun

    async def _end_one(self) -> float:
        token = self.server.sign_in(people.address(0)).access
        socket = await self._open(token)
        begun = time.perf_counter()
        await asyncio.to_thread(
            self.server.call, "POST", "/api/v1/auth/logout", token=token
        )
        try:
            await socket.recv()
        except ConnectionClosed as end:
            if end.rcvd and end.rcvd.code == UNAUTHENTICATED:
                return time.perf_counter() - begun
        raise RunFailed("The socket of an ended session was not closed with 4401.")


def _make_tenant() -> str:
    """Superusers have a seat everywhere, so it needs no members."""
    tenant = uuid4()
    with psycopg.connect(OURS.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO organizations_organization"
            " (id, name, slug, description, is_active, settings, created_at)"
            " VALUES (%s, 'Crowd', 'crowd', '', true, '{}', now())",
            [tenant],
        )
    return str(tenant)


async def _expect(socket: ClientConnection, kind: str) -> None:
    frame = json.loads(await socket.recv())
    if frame["type"] != kind:
        raise RunFailed(f"{kind} was expected, not {frame}.")


def _versions() -> str:
    wanted = ("Python", "uvicorn", "PostgreSQL", "Redis")
    return ", ".join(f"{name} {machine.versions()[name]}" for name in wanted)


def markdown(found: Result) -> str:
    each = (found.memory_open - found.memory_before) / found.sockets * 1024
    spread = f"{min(found.reached):.2f} to {max(found.reached):.2f}"
    rows = [
        ("", "", "wanted"),
        ("---", "---", "---"),
        ("memory before, MiB", f"{found.memory_before:.0f}", ""),
        ("memory with all open, MiB", f"{found.memory_open:.0f}", "250"),
        ("a socket, KiB", f"{each:.0f}", ""),
        ("opening and subscribing all, s", f"{found.opening:.1f}", ""),
        ("an event reaches all, s", f"{median(found.reached):.2f} ({spread})", "1"),
        ("logout to the close of its socket, s", f"{found.closed:.3f}", "1"),
    ]
    return "\n".join(
        (
            results.LIVE,
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {machine.processor()}. {_versions()}.",
            "",
            f"{found.sockets} sockets of one process follow one organization;",
            "PostgreSQL, and Redis as channel layer. Its name is changed, and each waits",
            f"for it, {len(found.reached)} times.",
            "",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
