"""Where counts live: Redis where there is one, else the database.

One round trip counts any number of keys. Redis gone, what guards passwords goes on
counting in this process, and the rest stays open: an outage of the counter must be
neither an outage of the service nor a free hand for guessing.
"""

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F

from limits.counts import NOTHING, Count, Settlement, Store
from limits.models import Counter
from limits.redis_store import RedisStore

logger = structlog.get_logger("limits")

# A dead Redis is asked again after this long, so that it delays one call in many.
BREAK_SECONDS = 5.0
WARNING_SECONDS = 60.0


def digest(*parts: str) -> str:
    """A key that tells nobody what it counts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class DatabaseStore:
    """One upsert: nothing is read first, so nothing is lost between two processes."""

    UPSERT = """
        INSERT INTO limits_counter (key, count, expires_at) VALUES {rows}
        ON CONFLICT (key) DO UPDATE SET
            count = CASE WHEN limits_counter.expires_at <= %s THEN 1
                         ELSE limits_counter.count + 1 END,
            expires_at = CASE WHEN limits_counter.expires_at <= %s
                              THEN excluded.expires_at
                              ELSE limits_counter.expires_at END
        RETURNING key, count, expires_at
    """

    def hit(
        self, periods: Mapping[str, int], unless: Mapping[str, str] = NOTHING
    ) -> dict[str, Count]:
        now = int(time.time())
        standing = self._standing(unless.values(), now) if unless else set()
        # In one order everywhere, so that two of them never wait for each other.
        counting = sorted(key for key in periods if unless.get(key) not in standing)
        if not counting:
            return {}
        rows = [(key, 1, now + periods[key]) for key in counting]
        marks = ", ".join(["(%s, %s, %s)"] * len(rows))
        values = [value for row in rows for value in row]
        with connection.cursor() as cursor:
            cursor.execute(self.UPSERT.format(rows=marks), [*values, now, now])
            counted = cursor.fetchall()
        return {key: Count(number, end - now) for key, number, end in counted}

    def give_back(self, keys: Sequence[str]) -> None:
        # One row a statement: two of several rows could deadlock with each other.
        for key in keys:
            Counter.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)

    def settle(self, account: Settlement) -> None:
        self._forget([*account.forgotten, *account.renewed])
        self.give_back(account.given_back)
        self.hit(account.renewed)

    def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            Counter.objects.filter(key=key).delete()

    def _standing(self, keys: Iterable[str], now: int) -> set[str]:
        windows = Counter.objects.filter(key__in=keys, expires_at__gt=now)
        return set(windows.values_list("key", flat=True))


class MemoryStore:
    """Counts of this process alone: what is left while Redis is gone."""

    MAXIMUM_KEYS = 50_000

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.windows: dict[str, tuple[int, float]] = {}

    def hit(
        self, periods: Mapping[str, int], unless: Mapping[str, str] = NOTHING
    ) -> dict[str, Count]:
        now = time.time()
        with self.lock:
            standing = self._read(list(unless.values()), now)
            counting = [key for key in periods if unless.get(key) not in standing]
            if len(self.windows) > self.MAXIMUM_KEYS:
                self.windows = {k: w for k, w in self.windows.items() if w[1] > now}
            for key in counting:
                number, end = self.windows.get(key, (0, 0.0))
                anew = (1, now + periods[key])
                self.windows[key] = (number + 1, end) if end > now else anew
            return self._read(counting, now)

    def give_back(self, keys: Sequence[str]) -> None:
        with self.lock:
            for key in keys:
                if key in self.windows:
                    number, end = self.windows[key]
                    self.windows[key] = (max(0, number - 1), end)

    def settle(self, account: Settlement) -> None:
        self._forget([*account.forgotten, *account.renewed])
        self.give_back(account.given_back)
        self.hit(account.renewed)

    def _forget(self, keys: Sequence[str]) -> None:
        with self.lock:
            for key in keys:
                self.windows.pop(key, None)

    def _read(self, keys: Sequence[str], now: float) -> dict[str, Count]:
        return {
            key: Count(number, max(1, round(end - now)))
            for key in keys
            for number, end in [self.windows.get(key, (0, 0.0))]
            if end > now
        }


class ResilientStore:
    """Redis behind a breaker; while it is gone, this process counts for itself.

    A process alone counts at most what all of them would: nothing is refused wrongly,
    and guessing stays bounded.
    """

    def __init__(self, shared: Store) -> None:
        self.shared = shared
        self.own = MemoryStore()
        self.broken_until = 0.0
        self.warned_until = 0.0

    def hit(
        self, periods: Mapping[str, int], unless: Mapping[str, str] = NOTHING
    ) -> dict[str, Count]:
        counted: dict[str, Count] = self._try("hit", periods, unless)
        return counted

    def give_back(self, keys: Sequence[str]) -> None:
        self._try("give_back", keys)

    def settle(self, account: Settlement) -> None:
        self._try("settle", account)

    def _try(self, verb: str, *arguments: Any) -> Any:
        if time.monotonic() >= self.broken_until:
            try:
                return getattr(self.shared, verb)(*arguments)
            except redis.RedisError:
                self._break()
        return getattr(self.own, verb)(*arguments)

    def _break(self) -> None:
        now = time.monotonic()
        self.broken_until = now + BREAK_SECONDS
        if now >= self.warned_until:
            self.warned_until = now + WARNING_SECONDS
            logger.warning("counter_unreachable", exc_info=True)


def store() -> Store:
    return _store(settings.REDIS_URL)


@cache
def _store(redis_url: str) -> Store:
    """One client a process: Django's caches would build one for every request."""
    return ResilientStore(RedisStore(redis_url)) if redis_url else DatabaseStore()
