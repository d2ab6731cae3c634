"""Counts in Redis."""

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from limits.counts import NOTHING, Count, Settlement

# What is given back after its window has ended lives no longer than this.
STRAY_SECONDS = 60
PATIENCE_SECONDS = 0.2


def client(url: str) -> redis.Redis:
    """Without retries: who uses it has a breaker, and no call may wait for seconds."""
    return redis.Redis.from_url(
        url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class RedisStore:
    """Scripts, so that each verb is one round trip and one command to write and read."""

    PREFIX = "limits:"
    # Of each key, a period in seconds and the key that spares it, or none.
    HIT = """
        local counts = {}
        for index, key in ipairs(KEYS) do
            local guard = ARGV[2 * index]
            if guard == '' or redis.call('EXISTS', guard) == 0 then
                local number = redis.call('INCR', key)
                redis.call('EXPIRE', key, ARGV[2 * index - 1], 'NX')
                counts[index] = {number, redis.call('TTL', key)}
            else
                counts[index] = {}
            end
        end
        return counts
    """

    # Of each key what is wished, or the period in seconds with which it begins anew.
    SETTLE = """
        for index, key in ipairs(KEYS) do
            local wish = ARGV[index + 1]
            if wish == 'forget' then
                redis.call('DEL', key)
            elseif wish == 'give back' then
                redis.call('DECR', key)
                -- A window that has ended must not come back as one without an end.
                redis.call('EXPIRE', key, ARGV[1], 'NX')
            else
                redis.call('SET', key, 1, 'EX', wish)
            end
        end
    """

    def __init__(self, url: str) -> None:
        self.client = client(url)
        self.hitting: Any = self.client.register_script(self.HIT)
        self.settling: Any = self.client.register_script(self.SETTLE)

    def hit(
        self, periods: Mapping[str, int], unless: Mapping[str, str] = NOTHING
    ) -> dict[str, Count]:
        arguments: list[Any] = []
        for key, period in periods.items():
            guard = unless.get(key)
            arguments += [period, self.PREFIX + guard if guard else ""]
        keys = [self.PREFIX + key for key in periods]
        counts = self.hitting(keys=keys, args=arguments)
        return {
            key: Count(*count)
            for key, count in zip(periods, counts, strict=True)
            if count
        }

    def give_back(self, keys: Sequence[str]) -> None:
        self.settle(Settlement(given_back=keys))

    def settle(self, account: Settlement) -> None:
        wishes: list[tuple[str, str | int]] = [
            *((key, "forget") for key in account.forgotten),
            *((key, "give back") for key in account.given_back),
            *account.renewed.items(),
        ]
        keys = [self.PREFIX + key for key, _ in wishes]
        self.settling(keys=keys, args=[STRAY_SECONDS, *(wish for _, wish in wishes)])
