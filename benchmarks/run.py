"""`python -m benchmarks.run [--write]`: this project against the stock alternative."""

import signal
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

import psycopg
import redis

from benchmarks import alone, databases, load, options, report, statements, tables
from benchmarks.failures import RunFailed, ToolMissing
from benchmarks.processes import cores
from benchmarks.sides import OURS, SIDES

RESULTS = Path(__file__).parent / "RESULTS.md"
FAILED, UNUSABLE, ENDED = 1, 2, 128 + signal.SIGTERM


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    write = parser.parse_args().write
    # So that whatever is under way is ended, as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))
    try:
        load.check_tools()
        text = measure(options.read())
    except ToolMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return UNUSABLE
    except (psycopg.OperationalError, redis.ConnectionError) as absent:
        sys.stderr.write(f"PostgreSQL and Redis must answer: {absent}\n")
        return UNUSABLE
    except RunFailed as failure:
        sys.stderr.write(f"The run has failed. {failure}\n")
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    sys.stdout.write(f"\n{text}")
    if write:
        RESULTS.write_text(text)
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
        results = report.Results(
            starts=starts,
            one_worker=tables.one_worker(wanted),
            two_workers=tables.two_workers(wanted),
            health=alone.health_while_hashing(OURS, server_core),
            talks={side.name: statements.talks(side) for side in SIDES},
        )
        return report.markdown(results, wanted)


if __name__ == "__main__":
    sys.exit(main())
