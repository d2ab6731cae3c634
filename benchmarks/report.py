"""The results as Markdown."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from benchmarks import machine
from benchmarks.alone import LOGINS, Health, Start
from benchmarks.load import Sample
from benchmarks.options import Options
from benchmarks.results import CALLS
from benchmarks.sides import OURS, SIDES, STOCK
from benchmarks.statements import Talk
from benchmarks.tables import Row, Table

# Above it, a figure behind the point says nothing.
WHOLE = 100


@dataclass(frozen=True, slots=True)
class Results:
    one_worker: Table
    two_workers: Table
    talks: dict[str, dict[str, Talk]]
    starts: dict[str, list[Start]]
    health: Health


def markdown(results: Results, options: Options) -> str:
    parts = [
        _head(options),
        "## One worker, pinned to one core; wrk on another",
        _rates(results.one_worker),
        "## Two workers, nothing pinned",
        _rates(results.two_workers),
        "## What a call says to PostgreSQL",
        _talks(results),
        "## The rest",
        _rest(results),
        "## How each was started",
        _commands(),
    ]
    return "\n\n".join(parts) + "\n"


def _head(options: Options) -> str:
    load = " / ".join(f"{number:.1f}" for number in os.getloadavg())
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions().items())
    return (
        f"{CALLS}\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.processor()}; load behind the run"
        f" {load}. {versions}.\n\n"
        f"Medians of {options.rounds} interleaved rounds of {options.seconds} s, lowest"
        " and highest in brackets. Every answer was checked; one that is no success ends"
        " the run. 16 connections, login 4. README.md says what is compared."
    )


def _rates(table: Table) -> str:
    head = [
        "scenario",
        f"{OURS.title}, answers/s",
        f"{STOCK.title}, answers/s",
        "ratio",
        "wanted of one worker",
        "p50 ms, ours / stock",
        "p99 ms, ours / stock",
        "failed",
    ]
    return _table(head, [_rate_row(row) for row in table.rows])


def _rate_row(row: Row) -> list[str]:
    ratio = _median(row.ours, _rate) / _median(row.stock, _rate)
    return [
        row.scenario.title,
        _spread(row.ours, _rate),
        _spread(row.stock, _rate),
        f"**{ratio:.2f}**",
        f"{row.scenario.wanted:.1f}",
        _pair(row, lambda sample: sample.p50),
        _pair(row, lambda sample: sample.p99),
        "0",
    ]


def _talks(results: Results) -> str:
    head = ["scenario"]
    for side in SIDES:
        head += [f"{side.name}: statements", "round trips", "connections opened"]
    body = []
    for row in results.one_worker.rows:
        cells = [row.scenario.title]
        for side in SIDES:
            talk = results.talks[side.name][row.scenario.name]
            cells += [
                f"{talk.statements:.1f}",
                f"{talk.round_trips:.1f}",
                f"{talk.connections:.1f}",
            ]
        body.append(cells)
    counted = "Counted on the wire, BEGIN, COMMIT and a driver's own statements included."
    return f"{counted}\n\n{_table(head, body)}"


def _rest(results: Results) -> str:
    logins = {
        side.name: samples
        for row in results.one_worker.rows
        if row.scenario.name == "login"
        for side, samples in ((OURS, row.ours), (STOCK, row.stock))
    }
    after = results.one_worker.memory
    body = [
        ["start to first answer, s", *_starts(results, lambda start: start.seconds)],
        ["memory before logins, MiB", *_starts(results, lambda start: start.memory)],
        ["memory behind all scenarios, MiB", *(f"{after[s.name]:.0f}" for s in SIDES)],
        [
            "password hashes a second, one core",
            *(_spread(logins[side.name], lambda sample: sample.alone) for side in SIDES),
        ],
        [
            "logins of what the hash alone allows",
            *(_share(logins[s.name]) for s in SIDES),
        ],
    ]
    table = _table(["", OURS.title, STOCK.title], body)
    return f"{table}\n\n{_health(results.health)}"


def _health(health: Health) -> str:
    return (
        f"`GET /health/live` of this project while {LOGINS} logins are under way at once"
        f" ({health.sent_away} of them sent away with 503 by the queue's deadline, the"
        f" others answered within {health.login_seconds:.1f} s):"
        f" median {health.median:.1f} ms, p99 {health.p99:.1f} ms,"
        f" slowest {health.maximum:.1f} ms of {health.probes} probes."
    )


def _commands() -> str:
    return "\n".join(
        f"- {side.title}: `python {side.serve}`"
        + (", with " if side.more else "")
        + ", ".join(f"`{name}={value}`" for name, value in side.more.items())
        for side in SIDES
    )


def _rate(sample: Sample) -> float:
    return sample.rate


def _median(samples: list[Sample], read: Callable[[Sample], float]) -> float:
    return median(read(sample) for sample in samples)


def _spread(samples: list[Sample], read: Callable[[Sample], float]) -> str:
    found = [read(sample) for sample in samples]
    return f"{_short(median(found))} ({_short(min(found))} to {_short(max(found))})"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= WHOLE else f"{number:.1f}"


def _pair(row: Row, read: Callable[[Sample], float]) -> str:
    return f"{_short(_median(row.ours, read))} / {_short(_median(row.stock, read))}"


def _share(samples: list[Sample]) -> str:
    return f"{median(sample.rate / sample.alone for sample in samples):.2f}"


def _starts(results: Results, read: Callable[[Start], float]) -> list[str]:
    found = [[read(start) for start in results.starts[side.name]] for side in SIDES]
    return [f"{_short(median(each))}" for each in found]


def _table(head: list[str], body: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
