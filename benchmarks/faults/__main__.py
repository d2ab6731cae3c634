"""`python -m benchmarks.faults [--only S1,S3] [--seconds N] [--write]`"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command import FAILED, carry_out
from benchmarks.faults import (
    exhausted,
    hostile,
    killed_worker,
    lost_database,
    lost_redis,
    rolling,
    storm,
    table,
)
from benchmarks.faults.engines import engines
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.service import Bench, wait_until_quiet

RESULTS = Path(__file__).parent.parent / "FAULTS.md"


@dataclass(frozen=True)
class Scenario:
    """`seconds` of the fault, where its length is not its own affair."""

    run: Callable[[Bench, int], Outcome]
    seconds: int = 0


SCENARIOS = {
    "S1": Scenario(killed_worker.run, 15),
    "S3": Scenario(lost_database.restart),
    "S4": Scenario(lost_database.terminated, 15),
    "S5": Scenario(exhausted.run),
    "S6": Scenario(lost_redis.run),
    "S13": Scenario(rolling.run, 40),
    "S16": Scenario(storm.run, 60),
    "S18": Scenario(hostile.run, 10),
}


def main() -> int:
    return carry_out(partial(_run, _arguments()))


def _run(wanted: Namespace) -> int:
    outcomes, text = _measure(wanted)
    sys.stdout.write(f"\n{text}")
    if wanted.write:
        RESULTS.write_text(text)
    return 0 if all(outcome.passed for outcome in outcomes) else FAILED


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--only", type=_scenarios, default=list(SCENARIOS), help="S1,S3")
    parser.add_argument("--seconds", type=int, help="of each fault whose length is free")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    wanted = parser.parse_args()
    if wanted.write and wanted.only != list(SCENARIOS):
        parser.error("--write is for a run of all")
    return wanted


def _scenarios(text: str) -> list[str]:
    """Raises ValueError, which argparse tells, where one is unknown."""
    names = text.upper().split(",")
    if not set(names) <= SCENARIOS.keys():
        raise ValueError(text)
    return names


def _measure(wanted: Namespace) -> tuple[list[Outcome], str]:
    with TemporaryDirectory(prefix="bench_faults_logs_") as folder, engines() as both:
        bench = Bench(*both, Path(folder))
        bench.prepare()
        outcomes = [_one(name, bench, wanted.seconds) for name in wanted.only]
        command = " ".join(["python -m benchmarks.faults", *sys.argv[1:]])
        return outcomes, table.markdown(outcomes, bench, command)


def _one(name: str, bench: Bench, seconds: int | None) -> Outcome:
    scenario = SCENARIOS[name]
    foreign = wait_until_quiet()
    outcome = scenario.run(bench, seconds or scenario.seconds)
    outcome.figures.append(f"busy with other things before it: {foreign:.1f} cores")
    verdict = "pass" if outcome.passed else "FAIL"
    lines = [f"{name}: {verdict}", *outcome.failures, *outcome.figures]
    sys.stdout.write("\n  ".join(lines) + "\n")
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    sys.exit(main())
