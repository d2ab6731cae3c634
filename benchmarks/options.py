"""What the environment says of a run."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.failures import RunFailed


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of one run of wrk; `rounds` of each scenario on each side."""

    seconds: int
    rounds: int


def read() -> Options:
    """A run of one second proves that the bench works: one round is enough for it."""
    seconds = _number("BENCH_SECONDS", 10)
    return Options(seconds, _number("BENCH_ROUNDS", 1 if seconds == 1 else 3))


def database_url(side: str) -> str:
    """Of BENCH_OURS_DATABASE_URL or BENCH_STOCK_DATABASE_URL. Dropped and made anew, so
    a name that does not say it is the bench's is refused.
    """
    default = f"postgres://postgres@127.0.0.1:5432/bench_{side}"
    url = os.environ.get(f"BENCH_{side.upper()}_DATABASE_URL") or default
    if not urlsplit(url).path.startswith("/bench"):
        raise RunFailed("The name of a database of the bench must begin with bench.")
    return url


def redis_url(side: str) -> str:
    """Of BENCH_OURS_REDIS_URL or BENCH_STOCK_REDIS_URL: a database that is emptied."""
    default = f"redis://127.0.0.1:6379/{14 if side == 'ours' else 15}"
    return os.environ.get(f"BENCH_{side.upper()}_REDIS_URL") or default


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise RunFailed(f"{name} must be a whole number from 1 up.")
    return int(text)
