"""S18: bodies that are far too large, too deep, or much larger than they look."""

import gzip
import select
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import repeat

from benchmarks import people
from benchmarks.faults.calls import NO_ANSWER, OK, Answer
from benchmarks.faults.crowd import gather
from benchmarks.faults.elsewhere import elsewhere
from benchmarks.faults.outcome import Outcome, milliseconds, percentile
from benchmarks.faults.probes import LIVE, Probe, health, reads
from benchmarks.faults.service import Bench
from benchmarks.faults.stage import Rest

AT_ONCE = 50
CALM_SECONDS = 5
MEBI = 1024 * 1024
SIZE = 20 * MEBI
PIECE = b"a" * 65_536
CHUNK = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
PIECES = SIZE // len(PIECE)
DEPTH = 100_000
MEMORY_MIB = 100
SLOWER = 2
PATIENCE_SECONDS = 20
# Each of them, between two bodies.
PAUSE_SECONDS = 1.0
HEAD = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
    b"X-Forwarded-For: 198.51.100.7\r\nContent-Type: application/json\r\n"
)


@dataclass(frozen=True)
class Body:
    """`pieces` are sent until the server has answered."""

    title: str
    statuses: tuple[int, ...]
    head: bytes
    piece: bytes
    pieces: int

    def sent_to(self, port: int) -> Answer:
        began = time.monotonic()
        address = ("127.0.0.1", port)
        try:
            with closing(socket.create_connection(address, PATIENCE_SECONDS)) as line:
                return self._exchange(line, began)
        except (OSError, HTTPException) as broken:
            spent, fault = time.monotonic() - began, type(broken).__name__
            return Answer(NO_ANSWER, began, spent, fault=fault, kind=self.title)

    def _exchange(self, line: socket.socket, began: float) -> Answer:
        line.sendall(HEAD + self.head)
        for piece in repeat(self.piece, self.pieces):
            if select.select([line], [], [], 0)[0]:
                break
            line.sendall(piece)
        response = HTTPResponse(line)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        text = response.read()
        spent = time.monotonic() - began
        return Answer(response.status, began, spent, headers, text, kind=self.title)


def _whole(title: str, statuses: tuple[int, ...], body: bytes, more: bytes = b"") -> Body:
    head = b"%sContent-Length: %d\r\n\r\n" % (more, len(body))
    return Body(title, statuses, head, body, 1)


BODIES = (
    Body("declared", (413,), b"Content-Length: %d\r\n\r\n" % SIZE, PIECE, PIECES),
    Body("chunked", (413,), b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, PIECES),
    _whole("deep", (400,), b"[" * DEPTH + b"]" * DEPTH),
    _whole("gzip", (400, 415), gzip.compress(b"[" * SIZE), b"Content-Encoding: gzip\r\n"),
)
STATUSES = {body.title: body.statuses for body in BODIES}


def run(bench: Bench, seconds: int) -> Outcome:
    outcome = Outcome(
        "S18",
        f"for {seconds} s, {AT_ONCE} at once of each: 20 MiB declared, 20 MiB chunked,"
        f" JSON {DEPTH} deep, 20 MiB as a little gzip",
    )
    with bench.serving() as service:
        [person] = gather(service.port, 1, first=people.LAST)
        rest, workers = Rest(bench, service), service.workers()
        with reads(service.port, person) as calm:
            time.sleep(CALM_SECONDS)
        others, live = reads(service.port, person), health(lambda: service.port, LIVE)
        with others, live:
            answers, memory = elsewhere(
                lambda: service.memory, _pour, service.port, seconds
            )
        outcome.count(answers, lambda answer: answer.status in STATUSES[answer.kind])
        same = service.workers() == workers
        outcome.expect("the same workers before and behind", holds=same)
        _judge(outcome, calm, others, live)
        growth = memory - rest.memory
        outcome.expect(
            f"memory of the workers +{growth:.0f} MiB at most", holds=growth <= MEMORY_MIB
        )
        rest.memory += MEMORY_MIB
        rest.check(outcome)
    counts = Counter((answer.kind, answer.status) for answer in answers)
    shown = ", ".join(f"{kind} {n} times {s}" for (kind, s), n in sorted(counts.items()))
    outcome.figures.append(shown)
    return outcome


def _pour(port: int, seconds: int) -> list[Answer]:
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(AT_ONCE * len(BODIES)) as pool:
        clients = [
            pool.submit(_again_until, end, body, port)
            for body in BODIES
            for _ in range(AT_ONCE)
        ]
        return [answer for client in clients for answer in client.result()]


def _again_until(end: float, body: Body, port: int) -> list[Answer]:
    answers = []
    while time.monotonic() < end:
        answers.append(body.sent_to(port))
        time.sleep(PAUSE_SECONDS)
    return answers


def _judge(outcome: Outcome, calm: Probe, others: Probe, live: Probe) -> None:
    outcome.count([*calm.answers, *others.answers], lambda a: a.status == OK)
    usual, now = (
        percentile((answer.seconds for answer in probe.answers), 95)
        for probe in (calm, others)
    )
    outcome.expect(
        f"p95 of `GET /users/me` {milliseconds(now)} against {milliseconds(usual)}"
        f" unloaded: {now / usual:.1f} times",
        holds=now < SLOWER * usual,
    )
    slowest = milliseconds(live.slowest)
    text = f"live: {len(live.answers)} times 200, slowest {slowest}"
    outcome.expect(text, holds=live.all_well)
