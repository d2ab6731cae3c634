"""One interleaved run of every scenario: ours, stock, ours, stock, and so on."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from benchmarks.databases import check_counted
from benchmarks.load import Sample
from benchmarks.options import Options
from benchmarks.processes import cores, memory_mib, wait_until_idle
from benchmarks.scenarios import SCENARIOS, Login, Place, Scenario, hashes_alone
from benchmarks.servers import Server, serving
from benchmarks.sides import OURS, SIDES, STOCK

WARM_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Row:
    scenario: Scenario
    ours: list[Sample]
    stock: list[Sample]


@dataclass(frozen=True, slots=True)
class Table:
    """`memory`: of each side's server behind the run, in MiB; only with one worker."""

    workers: int
    rows: list[Row]
    memory: dict[str, float]


def one_worker(options: Options) -> Table:
    """Pinned to a core, and wrk to another one."""
    place = Place(options.seconds, *cores())
    with _both(workers=1, core=place.server_core) as servers:
        rows = [_row(scenario, servers, place, options) for scenario in SCENARIOS]
        memory = {server.side.name: memory_mib(server.pid) for server in servers}
    return Table(1, rows, memory)


def two_workers(options: Options) -> Table:
    """Nothing is pinned."""
    place = Place(options.seconds, None, None)
    with _both(workers=2, core=None) as servers:
        rows = [_row(scenario, servers, place, options) for scenario in SCENARIOS]
    return Table(2, rows, {})


@contextmanager
def _both(*, workers: int, core: int | None) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(side, workers=workers, core=core))
            for side in SIDES
        ]
        for side in SIDES:
            check_counted(side)


def _row(
    scenario: Scenario, servers: list[Server], place: Place, options: Options
) -> Row:
    samples: dict[str, list[Sample]] = {side.name: [] for side in SIDES}
    if scenario.warms and options.rounds > 1:
        for server in servers:
            scenario.load(server, replace(place, seconds=WARM_SECONDS))
            wait_until_idle(server.pid)
    for number in range(options.rounds):
        for server in servers:
            sample = _sample(scenario, server, place)
            samples[server.side.name].append(sample)
            sys.stdout.write(
                f"{scenario.title}, round {number + 1}, {server.side.title}:"
                f" {sample.rate:.1f} a second\n"
            )
            sys.stdout.flush()
    return Row(scenario, samples[OURS.name], samples[STOCK.name])


def _sample(scenario: Scenario, server: Server, place: Place) -> Sample:
    sample = scenario.load(server, place)
    wait_until_idle(server.pid)
    if isinstance(scenario, Login) and place.server_core is not None:
        return replace(sample, alone=hashes_alone(server, place))
    return sample
