"""How every bench is run from the shell, and what it tells it in the end."""

import signal
import sys
from collections.abc import Callable

import psycopg
import redis

from benchmarks.failures import RunFailed, ToolMissing

FAILED, UNUSABLE, ENDED = 1, 2, 128 + signal.SIGTERM


def carry_out(work: Callable[[], int]) -> int:
    """The exit status: what `work` returns, or why it could not; the reason is written to
    the standard error.
    """
    # So that whatever is under way is ended, as by Ctrl-C.
    signal.signal(signal.SIGTERM, _end)
    try:
        return work()
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


def _end(*_: object) -> None:
    sys.stderr.write("Ended from outside.\n")
    sys.exit(ENDED)
