"""How many sockets are open at once, in all processes together."""

import time
from collections.abc import Iterator
from typing import cast

import pytest
import redis
from pytest_django.fixtures import Settings

from accounts.models import User
from limits import holds
from limits.holds import SharedHolds
from sessions_app.services import start_session
from tests.live.conftest import Live

pytestmark = pytest.mark.django_db

NAME = "user 1"


@pytest.fixture
def two(redis_url: str) -> tuple[SharedHolds, SharedHolds]:
    """Of two processes."""
    return SharedHolds(redis_url), SharedHolds(redis_url)


@pytest.fixture
def away() -> SharedHolds:
    return SharedHolds("redis://127.0.0.1:1/0")


def key(store: SharedHolds) -> str:
    return store._key(NAME)


def test_the_eleventh_is_refused_whichever_process_asks(
    two: tuple[SharedHolds, SharedHolds],
) -> None:
    for number in range(10):
        assert two[number % 2].take((NAME, str(number)), 10)
    assert [each.take((NAME, "one more"), 10) for each in two] == [False, False]
    two[0].give_back([(NAME, "3")])
    assert two[1].take((NAME, "one more"), 10)
    assert two[0].take(("user 2", "another"), 10)


def test_what_is_given_back_twice_is_given_back_once(
    two: tuple[SharedHolds, SharedHolds],
) -> None:
    assert two[0].take((NAME, "a"), 1)
    for _ in range(2):
        two[0].give_back([(NAME, "b"), (NAME, "a"), (NAME, "a")])
    assert two[1].take((NAME, "c"), 1)
    assert not two[1].take((NAME, "d"), 1)


def test_of_several_holds_all_or_none_is_taken(
    two: tuple[SharedHolds, SharedHolds],
) -> None:
    assert two[0].take(("address 1", "x"), 1)
    held = {(NAME, "y"): 10, ("address 1", "y"): 1}
    assert not two[1].take_all(held)
    assert not two[0].client.zrange(key(two[0]), 0, -1)
    two[0].give_back([("address 1", "x")])
    assert two[1].take_all(held)


def test_a_hold_that_nobody_renews_expires(
    two: tuple[SharedHolds, SharedHolds], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holds.HOLD_SECONDS <= 60
    assert two[0].take((NAME, "killed"), 1)
    left = two[0].client.ttl(key(two[0]))
    assert 0 < left <= holds.HOLD_SECONDS
    # As if it had been a minute ago.
    seconds, _ = two[0].client.time()
    two[0].client.zadd(key(two[0]), {"killed": seconds - 1})
    assert two[1].take((NAME, "new"), 1)
    assert not two[1].take((NAME, "newer"), 1)


def test_a_renewed_hold_stays(two: tuple[SharedHolds, SharedHolds]) -> None:
    assert two[0].take((NAME, "a"), 1)
    seconds, _ = two[0].client.time()
    two[0].client.zadd(key(two[0]), {"a": seconds + 1})
    two[0].renew([(NAME, "a")])
    end = two[0].client.zscore(key(two[0]), "a")
    assert holds.HOLD_SECONDS - 2 <= end - seconds <= holds.HOLD_SECONDS + 2
    assert not two[1].take((NAME, "b"), 1)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_clock_that_is_wrong_changes_nothing(
    two: tuple[SharedHolds, SharedHolds], monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + skew)
    assert two[0].take((NAME, "a"), 1)
    two[0].renew([(NAME, "a")])
    assert not two[1].take((NAME, "b"), 1)
    left = two[0].client.zscore(key(two[0]), "a") - two[0].client.time()[0]
    assert left <= holds.HOLD_SECONDS


def test_renewing_nothing_is_no_fault(two: tuple[SharedHolds, SharedHolds]) -> None:
    two[0].renew([])
    two[0].give_back([])
    assert two[0].rests_until == 0.0


def test_what_is_kept_names_nobody(two: tuple[SharedHolds, SharedHolds]) -> None:
    two[0].take(("address 203.0.113.9", "a"), 1)
    assert not two[0].client.keys("*203.0.113*")


# --- Redis is away -----------------------------------------------------------------


def test_while_redis_is_away_nothing_is_refused_and_it_is_asked_seldom(
    away: SharedHolds, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    for number in range(20):
        assert away.take_all({(NAME, str(number)): 1})
        away.renew([(NAME, str(number))])
        away.give_back([(NAME, str(number))])
    assert time.monotonic() - started < 5
    assert caplog.text.count("holds_unreachable") <= 2


@pytest.fixture
def without_redis(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.RATELIMIT_ENABLE = False
    yield
    holds._shared.cache_clear()


def test_while_redis_is_away_a_process_counts_its_own(
    live: Live, alice: User, settings: Settings, without_redis: None
) -> None:
    settings.SOCKETS_PER_USER = 2
    pair = start_session(user=alice)
    first, _ = live.open(pair), live.open(pair)
    assert live.wish(pair.access_token).end() == (4429, "too_many_sockets")
    first.hang_up()
    first.end()
    live.open(pair)


def test_without_redis_there_is_none_to_share(settings: Settings) -> None:
    settings.REDIS_URL = ""
    assert holds.shared() is None


# --- Sockets -----------------------------------------------------------------------


def test_the_sockets_of_other_processes_count(
    live: Live, alice: User, settings: Settings, two: tuple[SharedHolds, SharedHolds]
) -> None:
    settings.SOCKETS_PER_USER = 2
    elsewhere = (f"user {alice.pk}", "elsewhere")
    assert two[0].take(elsewhere, 2)
    pair = start_session(user=alice)
    mine = live.open(pair)
    assert live.wish(pair.access_token).end() == (4429, "too_many_sockets")
    mine.hang_up()
    mine.end()
    live.in_process.thread.submit(int).result()
    live.open(pair)
    two[0].give_back([elsewhere])


def test_a_socket_gives_back_all_that_it_held(
    live: Live, alice: User, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    listeners = [live.open(alice) for _ in range(3)]
    live.look()
    assert len(client.keys("holds:*")) == 2
    for listener in listeners:
        listener.hang_up()
        listener.end()
    live.in_process.thread.submit(int).result()
    assert client.keys("holds:*") == []


def test_a_look_brings_back_no_hold_of_who_has_left(
    live: Live, alice: User, bob: User, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    gone, stays = live.open(alice), live.open(bob)
    asked = list(live.hub.sockets)
    gone.hang_up()
    gone.end()
    live.run(live.hub.look(asked))
    names = {
        cast(holds.SharedHolds, holds.shared())._key(f"user {who.pk}").encode()
        for who in (alice, bob)
    }
    left = {name for name in client.keys("holds:*") if name in names}
    assert len(left) == 1
    assert stays.is_open
