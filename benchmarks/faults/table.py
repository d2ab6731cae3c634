"""What was found, as Markdown."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import psycopg

from benchmarks import machine
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.service import Bench
from benchmarks.sides import OURS

HEAD = (
    *("scenario", "what was done", "requests", "acknowledged writes", "lost"),
    *("wrong answers", "recovery, s", "verdict"),
)
ABOUT = """\
Two processes as `WEB_CONCURRENCY=2` makes them (S13: two servers), PostgreSQL and Redis
of the run's own, everything and its clients on one machine. The mixed load leaves at a
fixed rate, each call on a connection of its own: 60 % reads, 20 % refreshes, 10 %
sign-ins, 10 % writes (registrations, organizations, sign-outs).

An acknowledged write is one that was answered with 2xx, a rotation of a refresh token
too. **Lost** counts those that the database does not have exactly once, and sessions that
ended or forked. **Wrong** counts answers that are neither a success nor the refusal that
the fault allows (503 with `Retry-After`; a broken connection of a killed worker), and
errors that are no problem document."""


def markdown(outcomes: Sequence[Outcome], bench: Bench, command: str) -> str:
    rows = [HEAD, ["---"] * len(HEAD), *(_cells(outcome) for outcome in outcomes)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    details = "\n\n".join(_details(outcome) for outcome in outcomes)
    return (
        "\n\n".join(
            [f"# Faults\n\n{_about(bench, command)}", ABOUT, table, details, _commands()]
        )
        + "\n"
    )


def _cells(outcome: Outcome) -> list[str]:
    return [
        outcome.scenario,
        outcome.done,
        f"{outcome.requests}",
        f"{outcome.acknowledged}",
        f"{outcome.lost}",
        f"{outcome.wrong}",
        "none" if outcome.recovery is None else f"{outcome.recovery:.1f}",
        "pass" if outcome.passed else "**fail**",
    ]


def _details(outcome: Outcome) -> str:
    failures = [f"- **not met**: {text}" for text in outcome.failures]
    figures = [f"- {text}" for text in outcome.figures]
    return "\n".join([f"## {outcome.scenario}\n", *failures, *figures])


def _about(bench: Bench, command: str) -> str:
    load = " / ".join(f"{number:.1f}" for number in os.getloadavg())
    versions = ", ".join(f"{name} {text}" for name, text in _versions(bench).items())
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine.processor()}; load behind"
        f" the run {load}. {versions}."
    )


def _versions(bench: Bench) -> dict[str, str]:
    with bench.postgres.connect() as database:
        postgres = psycopg.pq.version_pretty(database.info.server_version)
    return {
        "Python": platform.python_version(),
        **{title: version(name) for title, name in machine.PACKAGES.items()},
        "PostgreSQL": postgres,
        "Redis": str(bench.redis.client.info("server")["redis_version"]),
    }


def _commands() -> str:
    settings = ", ".join(f"`{name}={value}`" for name, value in OURS.more.items())
    return (
        f"## How it was started\n\n`python {OURS.serve}`, with {settings}; the limits of"
        " sign-in, registration, refresh, sign-out and new organizations raised beyond"
        " reach, the counts of wrong passwords and of resets as shipped."
    )
