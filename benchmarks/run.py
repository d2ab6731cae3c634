"""`python -m benchmarks.run [--write]`: this project against the stock alternative."""

import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from functools import partial

from benchmarks import (
    alone,
    databases,
    load,
    options,
    report,
    results,
    statements,
    tables,
)
from benchmarks.command import carry_out
from benchmarks.processes import cores
from benchmarks.sides import OURS, SIDES


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--write", action="store_true", help="into RESULTS.md")
    return carry_out(partial(run, write=parser.parse_args().write))


def run(*, write: bool) -> int:
    load.check_tools()
    text = measure(options.read())
    sys.stdout.write(f"\n{text}")
    if write:
        results.replace(results.CALLS, text)
    return 0


def measure(wanted: options.Options) -> str:
    server_core, _ = cores()
    with ExitStack() as stack:
        for side in SIDES:
            stack.enter_context(databases.filled(side))
        starts: dict[str, list[alone.Start]] = {side.name: [] for side in SIDES}
        for _ in range(wanted.rounds):
            for side in SIDES:
                starts[side.name].append(alone.start(side, server_core))
        found = report.Results(
            starts=starts,
            one_worker=tables.one_worker(wanted),
            two_workers=tables.two_workers(wanted),
            health=alone.health_while_hashing(OURS, server_core),
            talks={side.name: statements.talks(side) for side in SIDES},
        )
        return report.markdown(found, wanted)


if __name__ == "__main__":
    sys.exit(main())
