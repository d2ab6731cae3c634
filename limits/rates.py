"""Limits a minute by name: settings.RATE_LIMITS says how many."""

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


def enforce(name: str, who: str) -> None:
    """Raises TooManyRequests."""
    wait = excess(name, who)
    if wait is not None:
        raise TooManyRequests(retry_after=wait)
