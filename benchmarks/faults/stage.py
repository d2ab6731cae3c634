"""Servers under load, and what must hold of them whatever was done meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.faults.crowd import Person, gather
from benchmarks.faults.load import Load
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.service import CONNECTIONS, NAME, Bench, Service

CROWD = 50
# Until each process has met a registration: the first one loads the words that passwords
# are looked up in, 11 MiB that stay.
WARM_SECONDS = 8
REST_SECONDS = 60
POLL_SECONDS = 0.2
# What a garbage collector may still hold, and an allocator does not give back.
MEMORY_SHARE = 1.1

OURS_IN_POSTGRES = f"""
    SELECT count(*),
           count(*) FILTER (WHERE state LIKE 'idle in%'),
           (SELECT count(*) FROM pg_locks WHERE NOT granted)
    FROM pg_stat_activity WHERE application_name = '{NAME}'
"""  # noqa: S608  # a constant of ours


@dataclass
class Rest:
    """What the servers hold before anything is done to them (I6)."""

    bench: Bench
    service: Service

    def __post_init__(self) -> None:
        self.memory = self.service.memory
        self.descriptors = self.service.descriptors
        self.most = len(self.service.workers()) * CONNECTIONS

    def check(self, outcome: Outcome) -> None:
        began = time.monotonic()
        while (held := self.held()) and time.monotonic() - began < REST_SECONDS:
            time.sleep(POLL_SECONDS)
        spent = time.monotonic() - began
        memory = f"{self.memory:.0f} MiB before, {self.service.memory:.0f} behind"
        text = f"at rest after {spent:.1f} s; memory of the workers {memory}"
        outcome.expect(f"{text}{held and f'; still held: {held}'}", holds=not held)

    def held(self) -> str:
        """What is still more than before; connections by what is configured."""
        with self.bench.postgres.connect() as database:
            row = database.execute(OURS_IN_POSTGRES).fetchone()
        connections, idle, waiting = (int(str(number)) for number in row or (0, 0, 0))
        limits = {
            "connections": (connections, self.most),
            "open transactions": (idle, 0),
            "waits for a lock": (waiting, 0),
            # A thread that had no connection before may have one now.
            "descriptors": (self.service.descriptors, self.descriptors + self.most),
            "MiB": (self.service.memory, self.memory * MEMORY_SHARE),
        }
        return ", ".join(
            f"{n:.0f} {name}" for name, (n, most) in limits.items() if n > most
        )


@dataclass(frozen=True)
class Stage:
    service: Service
    load: Load
    crowd: list[Person]


@contextmanager
def loaded(
    bench: Bench, outcome: Outcome, *, mix: dict[str, int] | None = None
) -> Iterator[Stage]:
    """Two processes under load. Behind the block the load has ended and is reconciled."""
    with bench.serving() as service:
        crowd = gather(service.port, CROWD)
        load = Load(lambda: service.port, crowd, mix=mix)
        with load:
            time.sleep(WARM_SECONDS)
            rest = Rest(bench, service)
            yield Stage(service, load, crowd)
        settle(bench, outcome, service, load)
        rest.check(outcome)


def settle(bench: Bench, outcome: Outcome, service: Service, load: Load) -> None:
    with bench.postgres.connect() as database:
        outcome.settle(load.ledger.reconcile(database, service.port, load.crowd))
    crashes = service.crashes
    outcome.expect(f"{crashes} crashes in the log", holds=not crashes)
