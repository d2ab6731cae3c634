"""Three stores, one behaviour; and what is left while Redis is gone."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import time_machine
from django.core.management import call_command
from django.db import connections
from pytest_django.fixtures import Settings

from limits import stores
from limits.counts import Settlement, Store
from limits.models import Counter
from limits.redis_store import RedisStore
from limits.stores import DatabaseStore, MemoryStore, ResilientStore, digest, store

pytestmark = pytest.mark.django_db

NOWHERE = "redis://127.0.0.1:1/0"


def redis_store() -> RedisStore:
    if not os.environ.get("REDIS_URL"):
        pytest.skip("needs the Redis of the second run")
    return RedisStore(os.environ["REDIS_URL"])


@pytest.fixture(params=[DatabaseStore, MemoryStore, redis_store])
def counting(request: pytest.FixtureRequest) -> Store:
    make: Callable[[], Store] = request.param
    return make()


def test_each_hit_counts_one_more_in_one_window(counting: Store) -> None:
    counts = [counting.hit({"a": 60, "b": 600}) for _ in range(3)]
    assert [count["a"].number for count in counts] == [1, 2, 3]
    assert all(0 < count["a"].remaining <= 60 for count in counts)
    assert all(60 < count["b"].remaining <= 600 for count in counts)


def test_what_another_key_spares_is_not_counted(counting: Store) -> None:
    periods = {"a": 60, "b": 60}
    assert counting.hit(periods, unless={"b": "guard"}).keys() == {"a", "b"}
    counting.hit({"guard": 60})
    counts = counting.hit(periods, unless={"b": "guard"})
    assert {key: count.number for key, count in counts.items()} == {"a": 2}
    counting.settle(Settlement(forgotten=["guard"]))
    counts = counting.hit(periods, unless={"b": "guard"})
    assert {key: count.number for key, count in counts.items()} == {"a": 3, "b": 2}


@pytest.mark.parametrize("make", [DatabaseStore, MemoryStore])
def test_a_window_that_has_ended_spares_nothing(make: Callable[[], Store]) -> None:
    counting = make()
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        counting.hit({"guard": 60})
        clock.shift(timedelta(seconds=59))
        assert not counting.hit({"a": 600}, unless={"a": "guard"})
        clock.shift(timedelta(seconds=2))
        assert counting.hit({"a": 600}, unless={"a": "guard"})["a"].number == 1


def test_all_of_a_settlement_is_done(counting: Store) -> None:
    counting.hit({"forgotten": 60, "given back": 60, "renewed": 60})
    counting.hit({"forgotten": 60, "given back": 60, "renewed": 60})
    counting.settle(Settlement(["forgotten"], ["given back"], {"renewed": 600}))
    counts = counting.hit({"forgotten": 60, "given back": 60, "renewed": 60})
    numbers = {key: count.number for key, count in counts.items()}
    assert numbers == {"forgotten": 1, "given back": 2, "renewed": 2}
    assert counts["renewed"].remaining > 60
    counting.settle(Settlement())


def test_what_is_given_back_was_not_counted(counting: Store) -> None:
    counting.hit({"a": 60})
    counting.hit({"a": 60})
    counting.give_back(["a", "never"])
    assert counting.hit({"a": 60})["a"].number == 2


def test_what_is_forgotten_begins_anew(counting: Store) -> None:
    counting.hit({"a": 60, "b": 60})
    counting.settle(Settlement(forgotten=["a", "never"]))
    counts = counting.hit({"a": 60, "b": 60})
    assert (counts["a"].number, counts["b"].number) == (1, 2)


@pytest.mark.parametrize("make", [DatabaseStore, MemoryStore])
def test_a_window_ends(make: Callable[[], Store]) -> None:
    counting = make()
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        counting.hit({"a": 60})
        clock.shift(timedelta(seconds=59))
        assert counting.hit({"a": 60})["a"].number == 2
        clock.shift(timedelta(seconds=2))
        assert counting.hit({"a": 60})["a"].number == 1


def test_a_window_of_redis_ends() -> None:
    counting = redis_store()
    counting.hit({"a": 1})
    end = time.monotonic() + 5
    while counting.client.exists(f"{counting.PREFIX}a") and time.monotonic() < end:
        time.sleep(0.05)  # Redis has a clock of its own, which no test can move
    assert counting.hit({"a": 1})["a"].number == 1


def test_a_redis_that_forgot_its_scripts_is_given_them_again() -> None:
    """As one that was started anew."""
    counting = redis_store()
    counting.hit({"a": 60})
    counting.client.script_flush()
    assert counting.hit({"a": 60})["a"].number == 2
    counting.client.script_flush()
    counting.settle(Settlement(forgotten=["a"]))
    assert counting.hit({"a": 60})["a"].number == 1


def test_a_stray_give_back_does_not_stay_for_ever() -> None:
    counting = redis_store()
    counting.give_back(["a"])
    assert counting.client.ttl(counting.PREFIX + "a") > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [DatabaseStore, redis_store])
def test_nothing_is_lost_between_many_at_once(make: Callable[[], Store]) -> None:
    counting = make()

    def work() -> None:
        for _ in range(10):
            counting.hit({"a": 60, "b": 60})
        connections.close_all()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = counting.hit({"a": 60, "b": 60})
    assert {count.number for count in counts.values()} == {81}


def test_memory_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = MemoryStore()
    monkeypatch.setattr(counting, "MAXIMUM_KEYS", 10)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for number in range(20):
            counting.hit({f"a{number}": 1})
            clock.shift(timedelta(seconds=2))
    assert len(counting.windows) <= 12


def test_a_key_tells_nothing_of_what_it_counts() -> None:
    key = digest("guess", "ada@example.com", "203.0.113.1")
    assert "ada" not in key
    assert len(key) == 64
    assert digest("a", "bc") != digest("ab", "c")


# --- Redis gone --------------------------------------------------------------------


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Accepts, and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_without_redis_this_process_counts(caplog: pytest.LogCaptureFixture) -> None:
    counting = ResilientStore(RedisStore(NOWHERE))
    numbers = [counting.hit({"a": 60})["a"].number for _ in range(3)]
    assert numbers == [1, 2, 3]
    counting.give_back(["a"])
    assert counting.hit({"a": 60})["a"].number == 3
    counting.settle(Settlement(forgotten=["a"]))
    assert counting.hit({"a": 60})["a"].number == 1
    assert caplog.text.count("counter_unreachable") == 1


def test_a_silent_redis_delays_one_call_in_many(black_hole: str) -> None:
    counting = ResilientStore(RedisStore(black_hole))
    began = time.monotonic()
    for _ in range(200):
        counting.hit({"a": 60})
    assert time.monotonic() - began < 3


def test_redis_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = ResilientStore(RedisStore(NOWHERE))
    counting.hit({"a": 60})
    counting.shared = MemoryStore()
    assert counting.hit({"a": 60})["a"].number == 2
    monkeypatch.setattr(counting, "broken_until", time.monotonic() - 1)
    assert counting.hit({"a": 60})["a"].number == 1


@pytest.mark.parametrize("url", ["", NOWHERE])
def test_settings_choose_the_store(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    assert isinstance(store(), ResilientStore if url else DatabaseStore)
    assert store() is store()
    assert stores.BREAK_SECONDS < stores.WARNING_SECONDS


def test_old_counters_are_purged(capsys: pytest.CaptureFixture[str]) -> None:
    DatabaseStore().hit({"long": 600, "short": 1})
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5)):
        call_command("purge_counters")
    assert capsys.readouterr().out == "Deleted 1 counters.\n"
    assert str(Counter.objects.get()) == "long"
