"""Calls of two servers in turns, one at a time: how long each took.

A loaded server would hide what its database takes: it works on one call while PostgreSQL
works on another.
"""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from statistics import median, quantiles

from benchmarks.failures import RunFailed
from benchmarks.servers import ANSWER_SECONDS, Server
from benchmarks.sides import HEADERS

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
BUFFER = 65_536
HUNDRED = 100


@dataclass
class Caller:
    """A connection that is kept; `head` is the same for all its requests."""

    server: Server
    connection: socket.socket = field(init=False)
    head: str = field(init=False)

    def __post_init__(self) -> None:
        self.connection = socket.create_connection(
            ("127.0.0.1", self.server.port), timeout=ANSWER_SECONDS
        )
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = {"Host": "127.0.0.1", "Content-Type": "application/json", **HEADERS}
        self.head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def close(self) -> None:
        self.connection.close()

    def get(self, path: str, token: str) -> bytes:
        return self.ask(f"GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n", b"")

    def post(self, path: str, body: dict[str, str]) -> bytes:
        return self.ask(f"POST {path} HTTP/1.1\r\n", json.dumps(body).encode())

    def ask(self, first: str, body: bytes) -> bytes:
        """The body of the answer. Raises RunFailed where it is no 200."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        request = f"{first}{self.head}{length}\r\n".encode() + body
        self.connection.sendall(request)
        head, rest = self._read_head()
        found = LENGTH.search(head + b"\r\n")
        missing = (int(found[1]) if found else 0) - len(rest)
        while missing > 0:
            rest += self._read()
            missing = (int(found[1]) if found else 0) - len(rest)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RunFailed(f"{first.splitlines()[0]}: {head[:20]!r} {rest[:300]!r}")
        return rest

    def _read_head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._read()
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def _read(self) -> bytes:
        data = self.connection.recv(BUFFER)
        if not data:
            raise RunFailed("A server has hung up.")
        return data


# One call, on that connection.
Call = Callable[[Caller], object]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of growth_tokens. `addresses` are what is left of the @."""

    single: list[str]
    listed: list[str]
    chained: list[str]
    superuser: str
    owner: str
    organization: str
    addresses: list[str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`calls` makes what is called, one after the other, for a side; `wanted` is how many
    times slower the large side may be, None where what it answers with grows as well.
    """

    name: str
    title: str
    calls: Callable[[Credentials], Iterator[Call]]
    wanted: float | None = 1.25
    warms: bool = True


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of each round, in milliseconds."""

    rounds: list[list[float]]

    @property
    def median(self) -> float:
        return median(median(some) for some in self.rounds)

    @property
    def p99(self) -> float:
        everything = [each for some in self.rounds for each in some]
        if len(everything) < HUNDRED:
            return max(everything)
        return quantiles(everything, n=HUNDRED)[-1]


def each(tokens: Sequence[str], path: str) -> Iterator[Call]:
    for token in cycle(tokens):
        yield partial(Caller.get, path=path, token=token)


def first_uses(some: Credentials) -> Iterator[Call]:
    """Writes that the session is in use, as the first call of each minute does."""
    return each(some.single, "/api/v1/users/me")


def chains(some: Credentials) -> Iterator[Call]:
    # In place: who goes on with them must not present spent ones.
    tokens = some.chained

    def spend(caller: Caller, number: int) -> None:
        body = {"refresh_token": tokens[number]}
        answer = json.loads(caller.post("/api/v1/auth/refresh", body))
        tokens[number] = answer["refresh_token"]

    for number in cycle(range(len(tokens))):
        yield partial(spend, number=number)


def searches(some: Credentials) -> Iterator[Call]:
    """Each for another person, of whom there is one."""
    for address in cycle(some.addresses):
        path = f"/api/v1/users?search={address}%40"
        yield partial(Caller.get, path=path, token=some.superuser)


def common_searches(some: Credentials) -> Iterator[Call]:
    return each([some.superuser], "/api/v1/users?search=lovelace")


def everybody(some: Credentials) -> Iterator[Call]:
    return each([some.superuser], "/api/v1/users?limit=20")


def members(some: Credentials) -> Iterator[Call]:
    path = f"/api/v1/organizations/{some.organization}/members?limit=20"
    return each([some.owner], path)


SCENARIOS = (
    Scenario("first-use", "me, first call in a minute", first_uses, warms=False),
    Scenario("me", "me", first_uses),
    Scenario("refresh", "refresh", chains),
    Scenario("sessions", "session list of 5", lambda s: each(s.listed, SESSIONS)),
    Scenario("search", "admin user search that finds one", searches),
    Scenario("members", "members of an organization of 1000", members),
    Scenario("common", "admin user search for a common name", common_searches, None),
    Scenario("everybody", "admin list of people, first page", everybody, None),
)
SESSIONS = "/api/v1/sessions/me"


def measure(
    scenario: Scenario,
    sides: Sequence[tuple[Caller, Credentials]],
    *,
    rounds: int,
    calls: int,
    seconds: float,
) -> list[Latencies]:
    """Of each side: in each round so many calls of one and then of the other, or as many
    as take so many seconds.
    """
    streams = [(caller, scenario.calls(some)) for caller, some in sides]
    if scenario.warms:
        for caller, stream in streams:
            _block(caller, stream, calls, seconds)
    found: list[list[list[float]]] = [[] for _ in streams]
    for _ in range(rounds):
        for (caller, stream), mine in zip(streams, found, strict=True):
            mine.append(_block(caller, stream, calls, seconds))
    return [Latencies(mine) for mine in found]


def _block(
    caller: Caller, stream: Iterator[Call], calls: int, seconds: float
) -> list[float]:
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < calls and time.perf_counter() < end:
        call = next(stream)
        begun = time.perf_counter()
        call(caller)
        found.append((time.perf_counter() - begun) * 1000)
    return found
