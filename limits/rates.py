"""Limits a minute by name: settings.RATE_LIMITS says how many."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings

from config import context
from config.addresses import bucket
from config.errors import TooManyRequests
from limits.stores import digest, store

PERIOD_SECONDS = 60


def from_here() -> str:
    """Whoever is not signed in, by the address that calls."""
    return f"address:{bucket(context.current().address)}"


def excess(name: str, who: str) -> int | None:
    """Counts one call in one round trip; the seconds to wait if it is one too many."""
    if not settings.RATELIMIT_ENABLE:
        return None
    key = digest("limit", name, who)
    count = store().hit({key: PERIOD_SECONDS})[key]
    return count.remaining if count.number > settings.RATE_LIMITS[name] else None


def allows(name: str, who: str, windows: Iterable[tuple[int, timedelta]]) -> bool:
    """Counts one in each window, in one round trip; whether none is beyond its number."""
    return _excess_of_any(name, who, windows) is None


def enforce_all(name: str, who: str, windows: Iterable[tuple[int, timedelta]]) -> None:
    """As `allows`; raises TooManyRequests."""
    wait = _excess_of_any(name, who, windows)
    if wait is not None:
        raise TooManyRequests(retry_after=wait)


def _excess_of_any(
    name: str, who: str, windows: Iterable[tuple[int, timedelta]]
) -> int | None:
    """The longest wait of those that are beyond their number."""
    if not settings.RATELIMIT_ENABLE:
        return None
    numbers = {}
    periods = {}
    for number, period in windows:
        key = digest("limit", name, who, str(period))
        numbers[key], periods[key] = number, int(period.total_seconds())
    counts = store().hit(periods).items()
    waits = [c.remaining for key, c in counts if c.number > numbers[key]]
    return max(waits, default=None)


def enforce(name: str, who: str) -> None:
    """Raises TooManyRequests."""
    wait = excess(name, who)
    if wait is not None:
        raise TooManyRequests(retry_after=wait)
