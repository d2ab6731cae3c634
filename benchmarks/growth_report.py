"""The results of `make bench-growth` as Markdown."""

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median

from benchmarks import machine
from benchmarks.growth_calls import Latencies, Scenario
from benchmarks.growth_indexes import LARGE, Large, Unused
from benchmarks.growth_sides import Grown

WANTED = 1.25
PAGE_MS = 300
MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Purge:
    number: int
    seconds: float

    @property
    def milliseconds(self) -> float:
        """For a thousand sessions."""
        return self.seconds * 1_000_000 / max(1, self.number)


@dataclass
class Results:
    """Everything by side, small before large. `first_purges`: of what the seed left."""

    sides: list[Grown]
    postgresql: str = ""
    seeds: list[str] = field(default_factory=list)
    rows: list[tuple[Scenario, list[Latencies]]] = field(default_factory=list)
    first_purges: list[Purge] = field(default_factory=list)
    purges: list[list[Purge]] = field(default_factory=list)
    tables: list[Large] = field(default_factory=list)
    scans: dict[str, list[str]] = field(default_factory=dict)
    # Of each page the median and the slowest, in milliseconds.
    console: dict[str, dict[str, float]] = field(default_factory=dict)
    unused: list[Unused] = field(default_factory=list)


def markdown(results: Results, *, rounds: int, calls: int) -> str:
    parts = [
        _head(results, rounds, calls),
        _rates(results),
        "## The console",
        _console(results),
        "## The seed",
        _seeds(results),
        "## Plans",
        _scans(results),
        "## Indexes that nothing asked",
        _unused(results),
        "## Large tables",
        _tables(results),
    ]
    return "\n\n".join(parts) + "\n"


def _head(results: Results, rounds: int, calls: int) -> str:
    small, large = (side.size for side in results.sides)
    load = " / ".join(f"{number:.1f}" for number in os.getloadavg())
    ours = f"Python {platform.python_version()}, Django {version('django')}"
    return (
        "# Results of `make bench-growth`\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.processor()}; load behind the run"
        f" {load}. {ours}, PostgreSQL {results.postgresql} as installed.\n\n"
        f"Small: {small}. Large: {large}.\n\n"
        f"One call at a time on one connection, {rounds} rounds of up to {calls} calls of"
        " each side in turns; the median of the rounds' medians, and the 99th percentile"
        " of all. Callers and what they ask for lie anywhere in the tables. Both servers"
        " run on one core, this client on another."
    )


def _rates(results: Results) -> str:
    head = ["", "small, ms", "large, ms", "times as slow", "wanted", "p99, ms", ""]
    rows = [_rate(scenario, *found) for scenario, found in results.rows]
    table = _table(head, [*rows, *_purges(results)])
    return f"{table}\n\nWhere nothing is wanted, what is counted or done grows itself."


def _rate(scenario: Scenario, small: Latencies, large: Latencies) -> list[str]:
    ratio = large.median / small.median
    return [
        scenario.title,
        f"{small.median:.2f}",
        f"{large.median:.2f}",
        f"**{ratio:.2f}**",
        f"{scenario.wanted:.2f}" if scenario.wanted else "",
        f"{small.p99:.1f} / {large.p99:.1f}",
        _verdict(ratio, scenario.wanted),
    ]


def _verdict(ratio: float, wanted: float | None) -> str:
    if wanted is None:
        return ""
    return "kept" if ratio <= wanted else "**missed**"


def _purges(results: Results) -> list[list[str]]:
    small, large = (
        median(purge.milliseconds for purge in some) for some in results.purges
    )
    number = median(purge.number for purge in results.purges[0])
    rows = [_purge(f"purge of {number:.0f}, for each 1000", small, large, WANTED)]
    if all(purge.number for purge in results.first_purges):
        first, second = results.first_purges
        title = f"first purge of {first.number:,} / {second.number:,}, for each 1000"
        rows.append(_purge(title, first.milliseconds, second.milliseconds, None))
    return rows


def _purge(title: str, small: float, large: float, wanted: float | None) -> list[str]:
    ratio = large / small
    verdict = _verdict(ratio, wanted) if wanted else ""
    limit = f"{wanted:.2f}" if wanted else ""
    return [title, f"{small:.1f}", f"{large:.1f}", f"**{ratio:.2f}**", limit, "", verdict]


def _console(results: Results) -> str:
    head = ["page", "median, ms", "slowest, ms", "wanted", ""]
    body = [
        [
            name.removeprefix("console-"),
            f"{page['median']:.0f}",
            f"{page['slowest']:.0f}",
            f"{PAGE_MS}",
            "kept" if page["slowest"] <= PAGE_MS else "**missed**",
        ]
        for name, page in results.console.items()
    ]
    said = f"Pages with {results.sides[-1].size}, for a superuser, each 15 times."
    return f"{said}\n\n{_table(head, body)}"


def _seeds(results: Results) -> str:
    return "\n\n".join(
        f"{side.title}:\n\n```\n{said.strip()}\n```"
        for side, said in zip(results.sides, results.seeds, strict=True)
    )


def _scans(results: Results) -> str:
    kept = "As PostgreSQL ran each statement at the large size: in `plans/`."
    if not results.scans:
        return f"{kept} None reads a large table from end to end."
    lines = [
        f"- {call}: {', '.join(f'`{name}`' for name in tables)}"
        for call, tables in results.scans.items()
    ]
    return f"{kept} These read a large table from end to end:\n\n" + "\n".join(lines)


def _unused(results: Results) -> str:
    head = ["table", "index", "size", "holds a constraint"]
    body = [
        [index.table, f"`{index.name}`", index.size, "yes" if index.unique else ""]
        for index in results.unused
    ]
    said = (
        f"Of tables of {LARGE} rows or more, by the calls above and the others in"
        " `plans/`. One that holds a constraint is asked by every write. The other tables"
        " are too small here to tell."
    )
    return f"{said}\n\n{_table(head, body)}" if body else f"{said} There is none."


def _tables(results: Results) -> str:
    body = [
        [table.name, f"{table.rows:,}", f"{table.bytes / MIB:,.0f}"]
        for table in results.tables
    ]
    return _table(["table", "rows", "MiB with indexes"], body)


def _table(head: list[str], body: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
