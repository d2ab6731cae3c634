"""`python -m benchmarks.growth [--write]`: what a hundred times as much data does to
calls that should not notice.
"""

import json
import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from benchmarks import growth_indexes, options
from benchmarks.command import carry_out
from benchmarks.growth_calls import SCENARIOS, Caller, Credentials, measure
from benchmarks.growth_report import Purge, Results, markdown
from benchmarks.growth_sides import (
    Grown,
    Size,
    database,
    grown,
    size,
    vacuum,
    what_fits,
)
from benchmarks.processes import cores, run_python
from benchmarks.servers import serving

RESULTS = Path(__file__).parent / "GROWTH.md"
SMALL, LARGE = "10000:100000", "1000000:10000000"
# Of one block of calls: those of a slow scenario are fewer.
BLOCK_SECONDS = 3.0


def main() -> int:
    return carry_out(partial(_run_and_tell, _arguments()))


def _run_and_tell(wanted: Namespace) -> int:
    text = run(wanted)
    sys.stdout.write(f"\n{text}")
    if wanted.write:
        RESULTS.write_text(text)
    return 0


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.growth")
    said = os.environ.get
    parser.add_argument("--small", type=size, default=said("BENCH_SMALL") or SMALL)
    parser.add_argument("--large", type=size, default=said("BENCH_LARGE") or LARGE)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=100, help="in a round, at most")
    parser.add_argument("--purged", type=int, default=15_000, help="sessions")
    parser.add_argument("--write", action="store_true", help="GROWTH.md and plans/")
    parser.add_argument("--keep", action="store_true", help="the databases")
    parser.add_argument("--reuse", action="store_true", help="databases that were kept")
    return parser.parse_args()


def run(wanted: Namespace) -> str:
    fitting: Size = wanted.large
    if not wanted.reuse:
        fitting = what_fits(wanted.large, options.database_url("growth_large"))
    sides = [grown("small", wanted.small), grown("large", fitting)]
    results = Results(sides)
    with ExitStack() as stack:
        for side in sides:
            _say(f"Filling {side.name}")
            kept = database(side, keep=wanted.keep, reuse=wanted.reuse)
            results.seeds.append(stack.enter_context(kept))
        _settle(results)
        _measure(results, wanted)
        _purge(results, wanted)
        results.postgresql = growth_indexes.server_version(sides[-1])
        results.unused = growth_indexes.unused(sides[-1], results.tables)
    return markdown(results, rounds=wanted.rounds, calls=wanted.calls)


def _settle(results: Results) -> None:
    """As the daily purge would have left it."""
    for side in results.sides:
        _say(f"Purging {side.name}")
        results.first_purges.append(_purge_once(side, 0))
        vacuum(side)
        growth_indexes.forget_uses(side)
    results.tables = growth_indexes.large_tables(results.sides[-1])


def _measure(results: Results, wanted: Namespace) -> None:
    server_core, client_core = cores()
    os.sched_setaffinity(0, {client_core})
    with ExitStack() as stack:
        called = []
        for side in results.sides:
            server = stack.enter_context(serving(side, core=server_core))
            caller = stack.enter_context(closing(Caller(server)))
            called.append((caller, _credentials(side, wanted)))
        for scenario in SCENARIOS:
            found = measure(
                scenario,
                called,
                rounds=wanted.rounds,
                calls=wanted.calls,
                seconds=BLOCK_SECONDS,
            )
            results.rows.append((scenario, found))
            _say(f"{scenario.title}: {' / '.join(f'{f.median:.2f}' for f in found)} ms")
    os.sched_setaffinity(0, {server_core, client_core})
    _explain(results, called[-1][1], write=wanted.write)


def _credentials(side: Grown, wanted: Namespace) -> Credentials:
    number = wanted.calls * wanted.rounds
    arguments = f"-m benchmarks.growth_tokens {number} {side.size.users}"
    return Credentials(**json.loads(run_python(arguments, side.environment())))


def _explain(results: Results, some: Credentials, *, write: bool) -> None:
    side = results.sides[-1]
    plain = {name: getattr(some, name) for name in Credentials.__dataclass_fields__}
    with tempfile.NamedTemporaryFile("w", prefix="bench-") as file:
        json.dump(plain | {"caller": some.single[0]}, file)
        file.flush()
        arguments = f"-m benchmarks.growth_plans {file.name}"
        plans = json.loads(run_python(arguments, side.environment()))
        arguments = f"-m benchmarks.growth_console {file.name}"
        pages = json.loads(run_python(arguments, side.environment()))
    for name, page in pages.items():
        plans[name] = page.pop("plans")
    results.console = pages
    results.scans = growth_indexes.end_to_end(plans, results.tables)
    if write:
        growth_indexes.keep(plans, side)


def _purge(results: Results, wanted: Namespace) -> None:
    results.purges = [[] for _ in results.sides]
    for _ in range(wanted.rounds):
        for side, mine in zip(results.sides, results.purges, strict=True):
            mine.append(_purge_once(side, wanted.purged))
            vacuum(side)
            _say(f"Purge of {mine[-1].number} in {side.name}: {mine[-1].seconds:.2f} s")


def _purge_once(side: Grown, number: int) -> Purge:
    arguments = f"-m benchmarks.growth_purge {number}"
    return Purge(**json.loads(run_python(arguments, side.environment())))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
