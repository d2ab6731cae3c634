"""S1: a worker dies in the middle of refreshes."""

import os
import signal
import time

from benchmarks.failures import RunFailed
from benchmarks.faults.calls import NO_ANSWER, Answer
from benchmarks.faults.load import RATE, REFRESHES
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.service import Bench, Service
from benchmarks.faults.sockets import answering
from benchmarks.faults.stage import CROWD, loaded

KILLS = 3
REPLACED_SECONDS = 5.0
GIVE_UP_SECONDS = 30


def run(bench: Bench, seconds: int) -> Outcome:
    outcome = Outcome(
        "S1", f"`kill -9` of a worker, {KILLS} times, under {RATE} refreshes/s of {CROWD}"
    )
    with loaded(bench, outcome, mix=REFRESHES) as stage:
        waits = []
        for _ in range(KILLS):
            waits.append(_kill_one(stage.service))
            time.sleep(max(0.5, seconds / KILLS - waits[-1]))
    outcome.count(stage.load.answers, _is_right)
    outcome.recovery = max(waits)
    outcome.expect(
        f"the next worker serves after {max(waits):.1f} s at most",
        holds=max(waits) <= REPLACED_SECONDS,
    )
    broken = sum(answer.status == NO_ANSWER for answer in stage.load.answers)
    outcome.figures.append(f"{broken} answers lost with a worker, asked again")
    return outcome


def _is_right(answer: Answer) -> bool:
    """A client of the dead worker sees its connection end, and comes again."""
    return answer.succeeded or answer.status == NO_ANSWER


def _kill_one(service: Service) -> float:
    """How long until another one answers."""
    before = service.workers()
    os.kill(min(before), signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < GIVE_UP_SECONDS:
        if answering(service.port, service.workers() - before):
            return time.monotonic() - began
        time.sleep(0.02)
    raise RunFailed("A killed worker is not replaced.")
