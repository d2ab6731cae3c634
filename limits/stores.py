"""Where counts live: Redis where there is one, else the database.

One round trip counts any number of keys. Redis gone, what guards passwords goes on
counting in this process, and the rest stays open: an outage of the counter must be
neither an outage of the service nor a free hand for guessing.
"""

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import redis
import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F
from redis.backoff import NoBackoff
from redis.retry import Retry

from limits.models import Counter

logger = structlog.get_logger("limits")

# A dead Redis is asked again after this long, so that it delays one call in many.
BREAK_SECONDS = 5.0
WARNING_SECONDS = 60.0
# What is given back after its window has ended lives no longer than this.
STRAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Count:
    """`remaining` is how many seconds the window goes on."""

    number: int
    remaining: int


class Store(Protocol):
    def hit(self, periods: Mapping[str, int]) -> dict[str, Count]:
        """Counts one more of each key, in windows of so many seconds."""

    def look(self, keys: Sequence[str]) -> dict[str, Count]:
        """What stands, without counting; a key with no window is missing."""

    def give_back(self, keys: Sequence[str]) -> None:
        """Takes one off each."""

    def forget(self, keys: Sequence[str]) -> None: ...

    def settle(self, account: "Settlement") -> None:
        """All of it, in one round trip where there is one."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`renewed` begin anew, at one, with a window of so many seconds."""

    forgotten: Sequence[str] = ()
    given_back: Sequence[str] = ()
    renewed: Mapping[str, int] = field(default_factory=dict)


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

    def hit(self, periods: Mapping[str, int]) -> dict[str, Count]:
        now = int(time.time())
        # In one order everywhere, so that two of them never wait for each other.
        rows = [(key, 1, now + periods[key]) for key in sorted(periods)]
        marks = ", ".join(["(%s, %s, %s)"] * len(rows))
        values = [value for row in rows for value in row]
        with connection.cursor() as cursor:
            cursor.execute(self.UPSERT.format(rows=marks), [*values, now, now])
            counted = cursor.fetchall()
        return {key: Count(number, end - now) for key, number, end in counted}

    def look(self, keys: Sequence[str]) -> dict[str, Count]:
        now = int(time.time())
        open_windows = Counter.objects.filter(key__in=keys, expires_at__gt=now)
        return {row.key: Count(row.count, row.expires_at - now) for row in open_windows}

    def give_back(self, keys: Sequence[str]) -> None:
        # One row a statement: two of several rows could deadlock with each other.
        for key in keys:
            Counter.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)

    def forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            Counter.objects.filter(key=key).delete()

    def settle(self, account: Settlement) -> None:
        self.forget([*account.forgotten, *account.renewed])
        self.give_back(account.given_back)
        self.hit(account.renewed)


class RedisStore:
    """INCR, with the window set by the first; a pipeline is one round trip."""

    PREFIX = "limits:"

    def __init__(self, url: str) -> None:
        # No retries: the breaker decides, and a call must not wait for seconds.
        self.client = redis.Redis.from_url(
            url,
            socket_timeout=0.2,
            socket_connect_timeout=0.2,
            retry=Retry(NoBackoff(), 0),
        )

    def hit(self, periods: Mapping[str, int]) -> dict[str, Count]:
        pipeline = self._pipeline()
        for key, period in periods.items():
            pipeline.incr(self.PREFIX + key)
            pipeline.expire(self.PREFIX + key, period, nx=True)
            pipeline.ttl(self.PREFIX + key)
        answers = pipeline.execute()
        return {
            key: Count(answers[3 * index], answers[3 * index + 2])
            for index, key in enumerate(periods)
        }

    def look(self, keys: Sequence[str]) -> dict[str, Count]:
        pipeline = self._pipeline()
        for key in keys:
            pipeline.get(self.PREFIX + key)
            pipeline.ttl(self.PREFIX + key)
        answers = pipeline.execute()
        return {
            key: Count(int(answers[2 * index]), answers[2 * index + 1])
            for index, key in enumerate(keys)
            if answers[2 * index] is not None
        }

    def give_back(self, keys: Sequence[str]) -> None:
        self.settle(Settlement(given_back=keys))

    def forget(self, keys: Sequence[str]) -> None:
        self.settle(Settlement(forgotten=keys))

    def settle(self, account: Settlement) -> None:
        pipeline = self._pipeline()
        for key in account.forgotten:
            pipeline.delete(self.PREFIX + key)
        for key in account.given_back:
            pipeline.decr(self.PREFIX + key)
            # A window that ended meanwhile must not come back as one without an end.
            pipeline.expire(self.PREFIX + key, STRAY_SECONDS, nx=True)
        for key, period in account.renewed.items():
            pipeline.set(self.PREFIX + key, 1, ex=period)
        pipeline.execute()

    def _pipeline(self) -> Any:
        """Without MULTI, which answers twice for each: every command stands by itself."""
        return self.client.pipeline(transaction=False)


class MemoryStore:
    """Counts of this process alone: what is left while Redis is gone."""

    MAXIMUM_KEYS = 50_000

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.windows: dict[str, tuple[int, float]] = {}

    def hit(self, periods: Mapping[str, int]) -> dict[str, Count]:
        now = time.time()
        with self.lock:
            if len(self.windows) > self.MAXIMUM_KEYS:
                self.windows = {k: w for k, w in self.windows.items() if w[1] > now}
            for key, period in periods.items():
                number, end = self.windows.get(key, (0, 0.0))
                self.windows[key] = (number + 1, end) if end > now else (1, now + period)
            return self._read(list(periods), now)

    def look(self, keys: Sequence[str]) -> dict[str, Count]:
        with self.lock:
            return self._read(keys, time.time())

    def give_back(self, keys: Sequence[str]) -> None:
        with self.lock:
            for key in keys:
                if key in self.windows:
                    number, end = self.windows[key]
                    self.windows[key] = (max(0, number - 1), end)

    def forget(self, keys: Sequence[str]) -> None:
        with self.lock:
            for key in keys:
                self.windows.pop(key, None)

    def settle(self, account: Settlement) -> None:
        self.forget([*account.forgotten, *account.renewed])
        self.give_back(account.given_back)
        self.hit(account.renewed)

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

    def hit(self, periods: Mapping[str, int]) -> dict[str, Count]:
        counted: dict[str, Count] = self._try("hit", periods)
        return counted

    def look(self, keys: Sequence[str]) -> dict[str, Count]:
        found: dict[str, Count] = self._try("look", keys)
        return found

    def give_back(self, keys: Sequence[str]) -> None:
        self._try("give_back", keys)

    def forget(self, keys: Sequence[str]) -> None:
        self._try("forget", keys)

    def settle(self, account: Settlement) -> None:
        self._try("settle", account)

    def _try(self, verb: str, argument: Any) -> Any:
        if time.monotonic() >= self.broken_until:
            try:
                return getattr(self.shared, verb)(argument)
            except redis.RedisError:
                self._break()
        return getattr(self.own, verb)(argument)

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
