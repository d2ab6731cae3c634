"""How many of something are held open at once, by all processes together.

Unlike a count in a window, a hold lasts until it is given back, or is not renewed in
time: those of a process that was killed go by themselves.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings

from limits.redis_store import client
from limits.stores import digest

# What is held, by whom.
Hold = tuple[str, str]

logger = structlog.get_logger("limits")

# After which a hold that nobody renewed is gone.
HOLD_SECONDS = 60
# A dead Redis is asked again after this long.
REST_SECONDS = 5.0
TAKE = """
    local now = tonumber(redis.call('TIME')[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
    redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    return 1
"""


class SharedHolds:
    """In Redis, a sorted set of holders by the end of their holds. While it is gone
    nothing is refused: each process still counts its own.
    """

    PREFIX = "holds:"

    def __init__(self, url: str) -> None:
        self.client: Any = client(url)
        self.script = self.client.register_script(TAKE)
        self.rests_until = 0.0

    def take_all(self, held: Mapping[Hold, int]) -> bool:
        """Whether there was room for one more of each: else none is taken."""
        taken: list[Hold] = []
        for hold, most in held.items():
            if not self.take(hold, most):
                self.give_back(taken)
                return False
            taken.append(hold)
        return True

    def take(self, hold: Hold, most: int) -> bool:
        """Whether there was room for one more; atomic."""
        return self._try(self._take, *hold, most)

    def renew(self, held: Iterable[Hold]) -> None:
        """For another HOLD_SECONDS, each (name, holder), in two round trips."""
        self._try(self._renew, list(held))

    def give_back(self, held: Iterable[Hold]) -> None:
        self._try(self._give_back, list(held))

    def _take(self, name: str, holder: str, most: int) -> bool:
        arguments: list[str | int] = [holder, most, HOLD_SECONDS]
        return bool(self.script(keys=[self._key(name)], args=arguments))

    def _renew(self, held: list[Hold]) -> bool:
        # The clock of Redis, as in taking: those of the processes may disagree.
        end = self.client.time()[0] + HOLD_SECONDS
        pipeline = self.client.pipeline(transaction=False)
        for name, holder in held:
            pipeline.zadd(self._key(name), {holder: end})
            pipeline.expire(self._key(name), HOLD_SECONDS)
        return bool(pipeline.execute())

    def _give_back(self, held: list[Hold]) -> bool:
        pipeline = self.client.pipeline(transaction=False)
        for name, holder in held:
            pipeline.zrem(self._key(name), holder)
        return bool(pipeline.execute())

    def _try(self, verb: Callable[..., bool], *arguments: Any) -> bool:
        """True where Redis is gone."""
        if time.monotonic() < self.rests_until:
            return True
        try:
            return verb(*arguments)
        except redis.RedisError:
            self.rests_until = time.monotonic() + REST_SECONDS
            logger.warning("holds_unreachable", exc_info=True)
            return True

    def _key(self, name: str) -> str:
        return self.PREFIX + digest("hold", name)


def shared() -> SharedHolds | None:
    """None where there is no Redis: then a process knows of its own only."""
    return _shared(settings.REDIS_URL) if settings.REDIS_URL else None


@cache
def _shared(url: str) -> SharedHolds:
    return SharedHolds(url)
