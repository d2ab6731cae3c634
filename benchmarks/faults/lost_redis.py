"""S6: Redis is stopped, comes back, falls silent, and comes back again."""

import signal
import time
from dataclasses import dataclass

from benchmarks import people
from benchmarks.faults.calls import API, OK, TOO_MANY, UNAUTHORIZED, Answer, Call, call
from benchmarks.faults.crowd import login, new_address
from benchmarks.faults.load import RATE
from benchmarks.faults.outcome import Outcome, milliseconds, percentile
from benchmarks.faults.service import Bench, Service
from benchmarks.faults.sockets import holder
from benchmarks.faults.stage import Stage, loaded

BEFORE_SECONDS = 6
GONE_SECONDS = 8
BETWEEN_SECONDS = 7
BACK_SECONDS = 5.0
ADDED_SECONDS = 0.2
MINUTE = 60
WORKERS = 2
GUESSES = 30
# GUESSES_PER_PAIR, and the limit of password_reset: each process counts for itself.
GUESSES_ALLOWED = 10
RESETS, RESETS_ALLOWED = 12, 3
WRONG = "walnut harbour sixteen lamps"
WARNING = "counter_unreachable"


@dataclass
class Absence:
    """Moments of the monotonic clock, and the statuses of those who tried their luck."""

    title: str
    began: float
    ended: float = 0.0
    back: float = 0.0

    def holds(self, answer: Answer) -> bool:
        return self.began <= answer.began <= self.ended


def run(bench: Bench, _: int) -> Outcome:
    outcome = Outcome(
        "S6",
        f"Redis stopped for {GONE_SECONDS} s, back, SIGSTOP for {GONE_SECONDS} s, back,"
        f" under {RATE} mixed calls/s",
    )
    with loaded(bench, outcome) as stage:
        begun = time.monotonic()
        time.sleep(BEFORE_SECONDS)
        calm = [a for a in stage.load.answers if a.began > begun]
        absences = [_stopped(bench, stage, outcome), _silent(bench, stage, outcome)]
        warnings = stage.service.logged(WARNING)
        spent = time.monotonic() - begun
    outcome.count(stage.load.answers, lambda answer: answer.succeeded)
    for absence in absences:
        during = [answer for answer in stage.load.answers if absence.holds(answer)]
        _judge_latency(outcome, absence, calm, during)
    outcome.recovery = max(absence.back for absence in absences)
    outcome.expect(
        f"both processes count in Redis again after {outcome.recovery:.1f} s",
        holds=outcome.recovery <= BACK_SECONDS + 1,
    )
    allowed = WORKERS * (1 + int(spent / MINUTE))
    text = f"{warnings} warnings of {WORKERS} processes in {spent:.0f} s"
    outcome.expect(text, holds=1 <= warnings <= allowed)
    return outcome


def _stopped(bench: Bench, stage: Stage, outcome: Outcome) -> Absence:
    absence = Absence("stopped", time.monotonic())
    bench.redis.stop()
    _while_gone(stage, outcome, absence, number=1)
    bench.redis.start()
    return _until_back(bench, stage.service, absence)


def _silent(bench: Bench, stage: Stage, outcome: Outcome) -> Absence:
    """The kernel still takes connections for it; nobody answers on them."""
    absence = Absence("silent", time.monotonic())
    bench.redis.signal(signal.SIGSTOP)
    _while_gone(stage, outcome, absence, number=2)
    bench.redis.signal(signal.SIGCONT)
    return _until_back(bench, stage.service, absence)


def _while_gone(stage: Stage, outcome: Outcome, absence: Absence, *, number: int) -> None:
    time.sleep(1)
    email, address = people.address(people.LAST - number), new_address()
    port = stage.service.port
    guesses = [call(port, login(email, address, WRONG)) for _ in range(GUESSES)]
    _judge_limit(outcome, f"{absence.title}: guesses", guesses, GUESSES_ALLOWED)
    path, body = f"{API}/auth/password-reset/request", {"email": email}
    reset = Call("POST", path, body, address=address)
    resets = [call(port, reset) for _ in range(RESETS)]
    _judge_limit(outcome, f"{absence.title}: resets", resets, RESETS_ALLOWED)
    time.sleep(max(0.0, absence.began + GONE_SECONDS - time.monotonic()))


def _judge_limit(
    outcome: Outcome, title: str, answers: list[Answer], allowed: int
) -> None:
    """Not unlimited and never a 500: of each process at most what all would allow."""
    taken = sum(answer.status in {OK, UNAUTHORIZED} for answer in answers)
    refused = sum(answer.status == TOO_MANY for answer in answers)
    outcome.requests += len(answers)
    outcome.wrong += len(answers) - taken - refused
    outcome.expect(
        f"{title}: {taken} taken, {refused} times 429",
        holds=taken <= allowed * WORKERS and taken + refused == len(answers),
    )


def _until_back(bench: Bench, service: Service, absence: Absence) -> Absence:
    """Both workers have spoken with Redis: each has a connection that it took."""
    absence.ended = began = time.monotonic()
    while absence.back == 0.0 and time.monotonic() - began < BETWEEN_SECONDS:
        if _counting(bench, service) == service.workers():
            absence.back = time.monotonic() - began
        time.sleep(0.05)
    absence.back = absence.back or float("inf")
    time.sleep(max(0.0, began + BETWEEN_SECONDS - time.monotonic()))
    return absence


def _counting(bench: Bench, service: Service) -> set[int]:
    clients = bench.redis.client.client_list()
    ports = [int(c["addr"].rpartition(":")[2]) for c in clients if c["cmd"] != "ping"]
    workers = service.workers()
    return {holder(port, bench.redis.port, workers) for port in ports} - {0}


def _judge_latency(
    outcome: Outcome, absence: Absence, calm: list[Answer], during: list[Answer]
) -> None:
    usual, held_up = (
        percentile((a.seconds for a in each), 99) for each in (calm, during)
    )
    slowest = max(answer.seconds for answer in during)
    outcome.expect(
        f"{absence.title}: p99 {milliseconds(held_up)} against {milliseconds(usual)}"
        f" before, slowest {milliseconds(slowest)}",
        holds=held_up - usual <= ADDED_SECONDS,
    )
