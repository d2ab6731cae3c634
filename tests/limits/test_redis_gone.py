"""Redis refuses, is silent, or talks nonsense: the service goes on, and still counts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from limits import stores
from limits.counts import Settlement
from limits.redis_store import RedisStore
from limits.stores import ResilientStore, store
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
WRONG = LOGIN | {"password": "wrong wrong wrong wrong"}
# Ten times what a call may be held up at most, on a busy machine.
PATIENCE_SECONDS = 5


class BadRedis:
    """Listens where Redis should; `reply` to whatever it is asked, None for nothing."""

    def __init__(self, reply: bytes | None) -> None:
        self.reply = reply
        self.calls = 0
        self.name = uuid4()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        return f"redis://127.0.0.1:{port}/0?client_name={self.name}"

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.calls += 1
                if self.reply is None:
                    self.open.append(connection)
                    continue
                with suppress(OSError), connection:
                    connection.settimeout(5)
                    while connection.recv(65_536):
                        connection.sendall(self.reply)

    def close(self) -> None:
        # A shutdown wakes the thread in `accept`; a close alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()
        self.thread.join(PATIENCE_SECONDS)


@pytest.fixture
def refusing() -> str:
    """Nobody listens there; the name makes it another URL each time, so another store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0?client_name={uuid4()}"


@pytest.fixture
def full() -> Iterator[str]:
    """Takes no more connections: packets go nowhere."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield f"redis://127.0.0.1:{address[1]}/0?client_name={uuid4()}"


REPLIES = {
    "silent": None,
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n" * 20,
    "read-only": b"-READONLY You can't write against a read only replica.\r\n" * 20,
    "full": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" * 20,
    "locked": b"-NOAUTH Authentication required.\r\n" * 20,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nonsense": b"\x00\xff\xfe" * 100,
    "hanging up": b"",
}
KINDS = ["refusing", "packets go nowhere", *REPLIES]


@pytest.fixture(params=KINDS)
def gone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Redis that is none, of each kind in turn."""
    if request.param in {"refusing", "packets go nowhere"}:
        name = "refusing" if request.param == "refusing" else "full"
        yield request.getfixturevalue(name)
        return
    bad = BadRedis(REPLIES[request.param])
    yield bad.url
    bad.close()


@pytest.fixture
def served_without(gone: str, settings: Settings) -> None:
    settings.REDIS_URL = gone


def resilient(url: str) -> ResilientStore:
    return ResilientStore(RedisStore(url))


def warnings_in(caplog: pytest.LogCaptureFixture) -> int:
    return caplog.text.count("counter_unreachable")


# --- The store -----------------------------------------------------------------------


def test_without_redis_this_process_counts_in_every_way(gone: str) -> None:
    counting = resilient(gone)
    assert [counting.hit({"a": 60})["a"].number for _ in range(3)] == [1, 2, 3]
    assert not counting.hit({"b": 60}, {"b": "a"})
    counting.give_back(["a", "b"])
    assert counting.hit({"a": 60})["a"].number == 3
    counting.settle(Settlement(forgotten=["a", "b"]))
    assert counting.hit({"a": 60})["a"].number == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda counting: counting.give_back(["a"]),
        lambda counting: counting.settle(Settlement(["a"], ["b"])),
    ],
)
def test_whatever_is_asked_first_does_not_fail(
    gone: str, ask: Callable[[ResilientStore], None]
) -> None:
    counting = resilient(gone)
    ask(counting)
    assert counting.hit({"a": 60})["a"].number == 1


def test_the_gone_one_is_not_asked_each_time() -> None:
    """Or every call would wait for it (S6)."""
    silent = BadRedis(None)
    counting = resilient(silent.url)
    began = time.monotonic()
    for _ in range(300):
        counting.hit({"a": 60})
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert silent.calls == 1
    silent.close()


def test_it_is_asked_again_but_told_of_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stores, "BREAK_SECONDS", 0.0)
    hanging_up = BadRedis(b"")
    counting = resilient(hanging_up.url)
    for number in range(1, 6):
        assert counting.hit({"a": 60})["a"].number == number
    assert hanging_up.calls >= 5
    assert warnings_in(caplog) == 1
    monkeypatch.setattr(counting, "warned_until", time.monotonic())
    counting.hit({"a": 60})
    assert warnings_in(caplog) == 2
    hanging_up.close()


def test_many_threads_are_all_counted_while_it_is_gone(refusing: str) -> None:
    counting = resilient(refusing)

    def work() -> None:
        for _ in range(50):
            counting.hit({"a": 60})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.hit({"a": 60})["a"].number == 401


def test_a_url_has_one_client_a_process(refusing: str, settings: Settings) -> None:
    settings.REDIS_URL = refusing
    first = store()
    assert store() is first
    settings.REDIS_URL = ""
    assert store() is not first


# --- The service ---------------------------------------------------------------------


@pytest.mark.usefixtures("served_without")
def test_people_sign_in_and_work_without_redis(
    api: SignIn, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    answer = api().post("/auth/login", LOGIN)
    assert answer.status_code == 200
    client = api(alice)
    assert {client.patch("/users/me", {}).status_code for _ in range(10)} == {200}
    refresh = {"refresh_token": answer.json()["refresh_token"]}
    assert api().post("/auth/refresh", refresh).status_code == 200
    assert client.post("/auth/logout").status_code == 200
    assert time.monotonic() - began < 2 * PATIENCE_SECONDS
    assert warnings_in(caplog) <= 1


@pytest.mark.usefixtures("served_without")
def test_limits_hold_without_redis(api: SignIn) -> None:
    """Not unlimited, and no 500 (S6)."""
    statuses = [api().post("/auth/register", {}).status_code for _ in range(7)]
    assert statuses == [422] * 5 + [429] * 2


def test_guessing_stays_bounded_without_redis(
    api: SignIn, alice: User, settings: Settings, refusing: str
) -> None:
    settings.REDIS_URL = refusing
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login": 1000}
    statuses = [api().post("/auth/login", WRONG).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert api().post("/auth/login", LOGIN).status_code == 429
    assert api().post("/auth/login", LOGIN, peer="203.0.113.1").status_code == 200


def test_nothing_of_the_url_is_told(
    api: SignIn, settings: Settings, refusing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Checks 208: its password least of all."""
    settings.REDIS_URL = refusing.replace("redis://", "redis://someone:sesame@")
    answer = api().post("/auth/register", {})
    assert answer.status_code == 422
    assert warnings_in(caplog) == 1
    assert "sesame" not in caplog.text
