"""One run of wrk against one server."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.failures import RunFailed, ToolMissing
from benchmarks.processes import pinned
from benchmarks.sides import HEADERS

SCRIPTS = Path(__file__).parent / "wrk"
# Above the longest answer: a sign-in on the stock side, behind others.
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Load:
    """`values` are for the script; `core` is that of wrk, None for any."""

    script: str
    values: dict[str, str]
    connections: int
    threads: int
    seconds: int
    core: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """`rate` in answers a second; latencies in milliseconds. `alone`: what the password
    hash of this side did in a second, with nothing around it.
    """

    rate: float
    p50: float
    p99: float
    answers: int
    alone: float = 0.0


def check_tools() -> None:
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if not shutil.which(tool):
            raise ToolMissing(
                f"{tool} is missing: install the package {package} (on Debian and Ubuntu:"
                f" apt-get install {package})."
            )


def put(load: Load, url: str) -> Sample:
    """Raises RunFailed unless every answer was the right one."""
    done = subprocess.run(  # noqa: S603  # our own arguments
        [*pinned(load.core), *_command(load), url],
        env={**os.environ, "BENCH_REPORT": str(SCRIPTS / "report.lua"), **load.values},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RunFailed(f"wrk: {done.stdout[-500:]} {done.stderr[-500:]}")
    return _sample(json.loads(lines[-1]), url)


def _command(load: Load) -> list[str]:
    sizes = {"threads": load.threads, "connections": load.connections}
    words = [f"--{name}={number}" for name, number in sizes.items()]
    words += [f"--duration={load.seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
    words += [f"--header={name}: {value}" for name, value in HEADERS.items()]
    return ["wrk", *words, f"--script={SCRIPTS / load.script}"]


def _sample(report: dict[str, int], url: str) -> Sample:
    faults = {name: report[name] for name in ("refused", "lost", "wrong")}
    if any(faults.values()):
        raise RunFailed(f"{url} answered wrongly: {faults} of {report['answers']}.")
    if not report["answers"]:
        raise RunFailed(f"{url} answered nothing: give it more BENCH_SECONDS.")
    seconds = report["microseconds"] / 1_000_000
    return Sample(
        rate=report["answers"] / seconds,
        p50=report["p50"] / 1000,
        p99=report["p99"] / 1000,
        answers=report["answers"],
    )
