"""S16: three hundred sign-ins at once, half of them with a wrong password."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks import people
from benchmarks.faults.calls import (
    OK,
    TOO_MANY,
    UNAUTHORIZED,
    UNAVAILABLE,
    Answer,
    Call,
    call,
)
from benchmarks.faults.crowd import gather, login, new_address, session_of
from benchmarks.faults.elsewhere import elsewhere
from benchmarks.faults.ledger import Ledger, Write
from benchmarks.faults.outcome import Outcome, milliseconds, percentile
from benchmarks.faults.probes import LIVE, Probe, health, reads
from benchmarks.faults.service import Bench
from benchmarks.faults.stage import Rest

CLIENTS = 300
CALM_SECONDS = 5
PATIENCE_SECONDS = 120
SLOWER = 3
LIVE_SECONDS = 0.3
MOST_RETRY_SECONDS = 2
# Sign-ins that hash at once in both processes, and the memory of one, in MiB.
HASHING_SLOTS, HASH_MIB = 4, 19
MEMORY_SHARE = 1.1
WRONG = "walnut harbour sixteen lamps"


def run(bench: Bench, seconds: int) -> Outcome:
    outcome = Outcome(
        "S16",
        f"{CLIENTS} concurrent sign-ins for {seconds} s, half with a wrong password",
    )
    with bench.serving() as service:
        [person] = gather(service.port, 1, first=people.LAST)
        rest = Rest(bench, service)
        with reads(service.port, person) as calm:
            time.sleep(CALM_SECONDS)
        held_up, live = reads(service.port, person), health(lambda: service.port, LIVE)
        with held_up, live:
            found, memory = elsewhere(lambda: service.memory, blow, service.port, seconds)
        with bench.postgres.connect() as database:
            ledger = Ledger(found.writes)
            outcome.settle(ledger.reconcile(database, service.port, []))
        _judge_storm(outcome, found, seconds)
        _judge_others(outcome, calm, held_up, live)
        most = (rest.memory + HASHING_SLOTS * HASH_MIB) * MEMORY_SHARE
        text = f"memory of the workers {rest.memory:.0f} MiB, at most {memory:.0f}"
        outcome.expect(f"{text} of {most:.0f}", holds=memory <= most)
        rest.memory = most
        rest.check(outcome)
    return outcome


@dataclass
class Found:
    """`waits`: how long each right password took to be let in, in seconds."""

    answers: list[Answer] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    given_up: int = 0


def blow(port: int, seconds: int) -> Found:
    storm = Storm(port, seconds)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(storm.client(n), n) for n in range(CLIENTS)]
    for client in clients:
        client.result()
    return storm.found


class Storm:
    """Each client asks again as soon as it was answered, and later where it was told so.

    Those with the right password go on behind the end until they are in.
    """

    def __init__(self, port: int, seconds: int) -> None:
        self.port = port
        self.end = time.monotonic() + seconds
        self.found = Found()
        self.lock = threading.Lock()

    def client(self, number: int) -> Callable[[int], None]:
        return self._right if number % 2 else self._wrong

    def _right(self, number: int) -> None:
        """Always from the same address."""
        address = new_address()
        while time.monotonic() < self.end:
            began = time.monotonic()
            while not self._ask(login(people.address(number), address)).succeeded:
                if time.monotonic() > began + PATIENCE_SECONDS:
                    with self.lock:
                        self.found.given_up += 1
                    return
            with self.lock:
                self.found.waits.append(time.monotonic() - began)

    def _wrong(self, number: int) -> None:
        while time.monotonic() < self.end:
            self._ask(login(people.address(number), new_address(), WRONG))

    def _ask(self, wanted: Call) -> Answer:
        answer = call(self.port, wanted, kind="login")
        with self.lock:
            self.found.answers.append(answer)
            if answer.succeeded:
                session = session_of(answer.json["access_token"])
                self.found.writes.append(Write("login", session, acknowledged=True))
        if answer.status in {UNAVAILABLE, TOO_MANY}:
            wait = float(answer.headers.get("retry-after", 1))
            time.sleep(min(wait, MOST_RETRY_SECONDS))
        return answer


def _judge_storm(outcome: Outcome, found: Found, seconds: int) -> None:
    outcome.count(found.answers, _is_right)
    counts = {s: sum(a.status == s for a in found.answers) for s in (OK, UNAUTHORIZED)}
    refused = len(found.answers) - sum(counts.values())
    begun = min(answer.began for answer in found.answers)
    last = max(answer.ended for answer in found.answers)
    outcome.recovery = last - begun - seconds
    longest = max(found.waits, default=float("inf"))
    outcome.figures.append(
        f"{counts[OK]} signed in, {counts[UNAUTHORIZED]} times 401, {refused} sent away"
        " with 503 or 429"
    )
    outcome.expect(
        f"every right password was let in, the last one {outcome.recovery:.1f} s behind"
        f" the storm; the longest wait {longest:.1f} s",
        holds=not found.given_up and bool(found.waits),
    )


def _is_right(answer: Answer) -> bool:
    if answer.status in {UNAVAILABLE, TOO_MANY}:
        return 1 <= int(answer.headers.get("retry-after", 0)) <= MOST_RETRY_SECONDS
    return answer.status in {OK, UNAUTHORIZED}


def _judge_others(outcome: Outcome, calm: Probe, held_up: Probe, live: Probe) -> None:
    outcome.count([*calm.answers, *held_up.answers], lambda a: a.status == OK)
    usual, now = (
        percentile((answer.seconds for answer in probe.answers), 95)
        for probe in (calm, held_up)
    )
    outcome.expect(
        f"p95 of `GET /users/me` {milliseconds(now)} against {milliseconds(usual)}"
        f" unloaded: {now / usual:.1f} times",
        holds=now < SLOWER * usual,
    )
    outcome.expect(
        f"live: {len(live.answers)} times 200, slowest {milliseconds(live.slowest)}",
        holds=live.all_well and live.slowest <= LIVE_SECONDS,
    )
