"""S13: two servers behind a balancer, one after the other is told to stop."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count

from benchmarks.faults.crowd import gather
from benchmarks.faults.listeners import SERVICE_RESTART, Listeners
from benchmarks.faults.load import RATE, Load
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.service import Bench, Service
from benchmarks.faults.stage import CROWD, WARM_SECONDS, Rest, settle
from benchmarks.processes import stop

EVERY_SECONDS = 10
SOCKETS = 50
# With everything answered, and with an upload that never ends: the grace is 15 s.
EXIT_SECONDS, LONGEST_EXIT_SECONDS = 15.0, 30.0
UPLOAD = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)


@dataclass
class Balancer:
    """In turns to whoever is in; a server is taken out before it is told to stop."""

    members: list[Service] = field(default_factory=list)
    turn: Iterator[int] = field(default_factory=count)

    def port(self) -> int:
        members = self.members
        return members[next(self.turn) % len(members)].port

    def stop(self) -> None:
        for member in self.members:
            stop(member.process)

    def replace(self, members: list[Service]) -> None:
        """Whoever reads them has the old or the new ones, never a list in between."""
        self.members = members


def run(bench: Bench, seconds: int) -> Outcome:
    stops = max(2, seconds // EVERY_SECONDS)
    outcome = Outcome(
        "S13",
        f"SIGTERM to one of two servers every {EVERY_SECONDS} s, {stops} times, under"
        f" {RATE} mixed calls/s and {SOCKETS} WebSockets",
    )
    with _two(bench) as balancer:
        crowd = gather(balancer.port(), CROWD)
        listening = Listeners(
            balancer.port, gather(balancer.port(), SOCKETS, first=CROWD)
        )
        rest = Rest(bench, balancer.members[0])
        with listening, Load(balancer.port, crowd) as load:
            time.sleep(WARM_SECONDS)
            exits, returns = _roll(bench, balancer, stops)
            slow = _stop_with_upload(balancer)
        outcome.count(load.answers, lambda answer: answer.succeeded)
        settle(bench, outcome, balancer.members[0], load)
        rest.service = balancer.members[0]
        rest.check(outcome)
    _judge(outcome, listening)
    outcome.recovery = max(returns)
    outcome.expect(
        f"each has ended within {max(exits):.1f} s", holds=max(exits) <= EXIT_SECONDS
    )
    outcome.expect(
        f"one with an upload that never ends within {slow:.1f} s",
        holds=slow <= LONGEST_EXIT_SECONDS,
    )
    outcome.figures.append(f"its successor is ready after {max(returns):.1f} s")
    return outcome


def _judge(outcome: Outcome, listening: Listeners) -> None:
    told = ", ".join(f"{n} with {code}" for code, n in sorted(listening.codes.items()))
    outcome.expect(
        f"sockets closed: {told}; {listening.refused} refused",
        holds=listening.codes.keys() == {SERVICE_RESTART} and not listening.refused,
    )
    outcome.expect(
        f"{listening.there} of {SOCKETS} sockets are open at the end, each was back"
        f" within {listening.longest_gap:.1f} s",
        holds=listening.there == SOCKETS,
    )


@contextmanager
def _two(bench: Bench) -> Iterator[Balancer]:
    """Ends whoever is a member at the end; `_roll` has ended the others."""
    balancer = Balancer()
    with ExitStack() as stack:
        stack.callback(balancer.stop)
        for _ in range(2):
            balancer.replace([*balancer.members, bench.start()])
        for member in balancer.members:
            member.wait_until_ready()
        yield balancer


def _roll(
    bench: Bench, balancer: Balancer, stops: int
) -> tuple[list[float], list[float]]:
    """How long each took to end, and its successor to be ready."""
    exits, returns = [], []
    for _ in range(stops):
        began = time.monotonic()
        leaving, staying = balancer.members
        balancer.replace([staying])
        exits.append(leaving.terminate())
        returns.append(_enter(bench, balancer))
        time.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))
    return exits, returns


def _stop_with_upload(balancer: Balancer) -> float:
    leaving, staying = balancer.members
    balancer.replace([staying])
    with closing(socket.create_connection(("127.0.0.1", leaving.port))) as line:
        line.sendall(UPLOAD)
        # Taken up by the server before it is told.
        time.sleep(WARM_SECONDS)
        return leaving.terminate()


def _enter(bench: Bench, balancer: Balancer) -> float:
    began = time.monotonic()
    successor = bench.start()
    with ExitStack() as unless_ready:
        unless_ready.callback(stop, successor.process)
        successor.wait_until_ready()
        unless_ready.pop_all()
    balancer.replace([*balancer.members, successor])
    return time.monotonic() - began
