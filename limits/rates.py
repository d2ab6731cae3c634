"""Limits a minute by name: settings.RATE_LIMITS says how many."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings

from config.errors import TooManyRequests
from limits.stores import digest, store

PERIOD_SECONDS = 60


def excess(name: str, who: str) -> int | None:
    """Counts one call in one round trip; the seconds to wait if it is one too many."""
    if not settings.RATELIMIT_ENABLE:
        return None
    key = digest("limit", name, who)
    count = store().hit({key: PERIOD_SECONDS})[key]
    return count.remaining if count.number > settings.RATE_LIMITS[name] else None


def allows(name: str, who: str, windows: Iterable[tuple[int, timedelta]]) -> bool:
    """Counts one in each window, in one round trip; whether none is beyond its number."""
    if not settings.RATELIMIT_ENABLE:
        return True
    numbers = {}
    periods = {}
    for number, period in windows:
        key = digest("limit", name, who, str(period))
        numbers[key], periods[key] = number, int(period.total_seconds())
    return all(c.number <= numbers[key] for key, c in store().hit(periods).items())


def enforce(name: str, who: str) -> None:
    """Raises TooManyRequests."""
    wait = excess(name, who)
    if wait is not None:
        raise TooManyRequests(retry_after=wait)
