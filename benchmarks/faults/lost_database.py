"""S3 and S4: the database restarts, is away for a while, and ends single connections."""

import time
from dataclasses import dataclass

from benchmarks.faults.calls import OK, UNAVAILABLE, Answer
from benchmarks.faults.load import RATE
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.probes import LIVE, READY, health
from benchmarks.faults.service import NAME, Bench
from benchmarks.faults.stage import Stage, loaded

AWAY_SECONDS = 4
AFTER_SECONDS = 5
REFUSED_SECONDS = 5.0
BACK_SECONDS = 5.0
# Ready asks by itself, every tenth of a second here.
FLIP_SECONDS = 5.0
KILL_EVERY = 0.2

KILL_ONE = f"""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = '{NAME}' ORDER BY random() LIMIT 1
"""  # noqa: S608  # a constant of ours


@dataclass(frozen=True)
class Outage:
    """Moments of the monotonic clock: told to stop, and accepting again."""

    began: float
    ended: float

    def allows(self, answer: Answer) -> bool:
        """It was under way at some moment of the outage."""
        return answer.began <= self.ended and answer.ended >= self.began


def restart(bench: Bench, seconds: int) -> Outcome:
    outcome = Outcome(
        "S3",
        f"`restart -m fast` of PostgreSQL, then stopped for {AWAY_SECONDS} s,"
        f" under {RATE} mixed calls/s",
    )
    with loaded(bench, outcome) as stage:
        target = stage.load.target
        with health(target, LIVE) as live, health(target, READY) as ready:
            outages = [_outage(bench, away) for away in (0, AWAY_SECONDS)]
    outcome.count(
        stage.load.answers,
        lambda a: (
            a.succeeded or (_refused_in_time(a) and any(o.allows(a) for o in outages))
        ),
    )
    _judge_return(outcome, stage, outages)
    outcome.expect(f"live: {len(live.answers)} times 200", holds=live.all_well)
    away = outages[-1]
    down = [a.status for a in ready.between(away.began + 0.5, away.ended - 0.5)]
    up = [a.status for a in ready.answers if a.began > away.ended + FLIP_SECONDS - 1]
    outcome.expect(
        f"ready: {len(down)} times 503 while it was away, {len(up)} times 200 after it",
        holds=set(down) == {UNAVAILABLE} and set(up) == {OK},
    )
    return outcome


def _outage(bench: Bench, away: float) -> Outage:
    began = time.monotonic()
    bench.postgres.stop()
    time.sleep(away)
    outage = Outage(began, bench.postgres.start())
    time.sleep(AFTER_SECONDS)
    return outage


def _refused_in_time(answer: Answer) -> bool:
    return answer.asks_to_come_again and answer.seconds <= REFUSED_SECONDS


def _judge_return(outcome: Outcome, stage: Stage, outages: list[Outage]) -> None:
    answers = stage.load.answers
    backs = []
    for outage in outages:
        ends = [a.ended for a in answers if a.succeeded and a.ended > outage.ended]
        backs.append(min(ends, default=float("inf")) - outage.ended)
    outcome.recovery = max(backs)
    outcome.expect(
        f"first success {max(backs):.2f} s after the port accepts",
        holds=max(backs) <= BACK_SECONDS,
    )
    refused = [a for a in answers if a.status == UNAVAILABLE]
    slowest = max((a.seconds for a in refused), default=0.0)
    outcome.figures.append(
        f"{len(refused)} times 503 with Retry-After, the slowest after {slowest:.2f} s"
    )
    lengths = ", ".join(f"{outage.ended - outage.began:.1f} s" for outage in outages)
    outcome.figures.append(f"away for {lengths}")


def terminated(bench: Bench, seconds: int) -> Outcome:
    outcome = Outcome(
        "S4",
        f"`pg_terminate_backend` on a random connection every {KILL_EVERY} s"
        f" for {seconds} s, under {RATE} mixed calls/s",
    )
    with loaded(bench, outcome) as stage:
        kills = _kill_for(bench, seconds)
        time.sleep(1)
    outcome.count(stage.load.answers, lambda a: a.succeeded or a.asks_to_come_again)
    failed = sum(not answer.succeeded for answer in stage.load.answers)
    outcome.expect(
        f"{failed} calls failed, all with 503, of {kills} connections ended",
        holds=failed <= kills,
    )
    outcome.recovery = 0.0
    return outcome


def _kill_for(bench: Bench, seconds: int) -> int:
    kills = 0
    end = time.monotonic() + seconds
    with bench.postgres.connect() as database:
        while time.monotonic() < end:
            kills += len(database.execute(KILL_ONE).fetchall())
            time.sleep(KILL_EVERY)
    return kills
