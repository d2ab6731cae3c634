"""So many calls a minute: the contract's numbers, who is counted, and what it costs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import argon2
import argon2.low_level
import httpx
import pytest
import time_machine
from django.conf import settings as configured
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from config.errors import TooManyRequests
from limits.models import Counter
from limits.rates import enforce, excess
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

Call = Callable[[Api], httpx.Response]

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# What each call of the contract may be called a minute; those on sessions have their
# own tests beside them.
BY_ADDRESS: dict[str, tuple[int, Call]] = {
    "register": (5, lambda c: c.post("/auth/register", {})),
    "login": (10, lambda c: c.post("/auth/login", {})),
    "login by form": (10, lambda c: c.post("/auth/login/oauth", headers=FORM)),
}
BY_PERSON: dict[str, tuple[int, Call]] = {
    "profile": (30, lambda c: c.patch("/users/me", {"locale": "xx"})),
    "person": (30, lambda c: c.patch(f"/users/{c.tokens.user.pk}", {"locale": "xx"})),
    "password": (5, lambda c: c.patch("/users/me/password", {})),
    "deletion": (10, lambda c: c.delete(f"/users/{uuid4()}")),
}


def beyond(answer: httpx.Response) -> None:
    """Checks 188."""
    refused(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("name", BY_ADDRESS)
def test_a_public_call_is_counted_per_address(api: SignIn, name: str) -> None:
    number, call = BY_ADDRESS[name]
    for _ in range(number):
        assert call(api()).status_code == 422
    beyond(call(api()))
    assert call(api(peer="203.0.113.1")).status_code == 422


ROWS_OF_THEIR_OWN = [
    (
        lambda c: c.post("/auth/login", {}),
        lambda c: c.post("/auth/login/oauth", headers=FORM),
    ),
    (
        lambda c: c.patch("/users/me", {}),
        lambda c: c.patch(f"/users/{c.tokens.user.pk}", {}),
    ),
    (
        lambda c: c.delete("/sessions/me/expired"),
        lambda c: c.delete("/sessions/me/others"),
    ),
]


@pytest.mark.parametrize(("one", "other"), ROWS_OF_THEIR_OWN)
def test_each_row_of_the_contract_counts_for_itself(
    api: SignIn, alice: User, one: Call, other: Call
) -> None:
    client = api(alice)
    statuses = [one(client).status_code for _ in range(31)]
    assert statuses[-1] == 429
    assert other(client).status_code != 429


@pytest.mark.parametrize("name", BY_ADDRESS)
def test_a_token_moves_no_public_call_to_another_count(
    api: SignIn, alice: User, settings: Settings, name: str
) -> None:
    """Or whoever has many accounts could try as often."""
    once = {"register": 1, "login": 1, "login_oauth": 1}
    settings.RATE_LIMITS = configured.RATE_LIMITS | once
    _, call = BY_ADDRESS[name]
    call(api())
    beyond(call(api(alice)))


@pytest.mark.parametrize("name", BY_PERSON)
def test_a_call_of_a_person_is_counted_wherever_they_are(
    api: SignIn, alice: User, root: User, name: str
) -> None:
    """Checks 198: on every device and from every address, and for nobody else."""
    number, call = BY_PERSON[name]
    devices = [api(root), api(root)]
    for count in range(number):
        device = devices[count % 2]
        device.peer = f"203.0.113.{count}"
        assert call(device).status_code in {404, 422}
    beyond(call(devices[0]))
    assert call(api(alice)).status_code in {403, 422}


@pytest.mark.parametrize("path", ["/users/me", "/users", "/openapi.json"])
def test_reading_has_no_limit_where_the_contract_names_none(
    api: SignIn, root: User, path: str
) -> None:
    client = api(root)
    assert {client.get(path).status_code for _ in range(70)} == {200}


def test_reading_is_not_counted_with_writing(api: SignIn, alice: User) -> None:
    client = api(alice)
    for _ in range(40):
        client.get("/users/me")
    assert client.patch("/users/me", {}).status_code == 200


@pytest.mark.usefixtures("own_clock")
def test_a_window_begins_with_the_first_call_and_ends_after_a_minute(
    api: SignIn, settings: Settings
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"register": 2}
    register = BY_ADDRESS["register"][1]
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        assert register(api()).status_code == 422
        clock.shift(timedelta(seconds=50))
        assert register(api()).status_code == 422
        refusal = register(api())
        beyond(refusal)
        assert int(refusal.headers["Retry-After"]) == 10
        clock.shift(timedelta(seconds=10))
        assert register(api()).status_code == 422


@pytest.mark.usefixtures("own_clock")
def test_knocking_does_not_make_the_window_longer(
    api: SignIn, settings: Settings
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"register": 1}
    register = BY_ADDRESS["register"][1]
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        statuses = []
        for _ in range(7):
            statuses.append(register(api()).status_code)
            clock.shift(timedelta(seconds=10))
    assert statuses == [422, *[429] * 5, 422]


def test_who_has_waited_as_told_is_let_in(api: SignIn, settings: Settings) -> None:
    settings.REDIS_URL = ""
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"register": 1}
    register = BY_ADDRESS["register"][1]
    with time_machine.travel(datetime.now(UTC)) as clock:
        register(api())
        clock.shift(timedelta(seconds=int(register(api()).headers["Retry-After"])))
        assert register(api()).status_code == 422


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time the password hash is computed."""
    calls: list[str] = []

    def counting(work: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(work.__name__)
            return work(*args, **kwargs)

        return counted

    for owner, name in (
        (argon2.low_level, "hash_secret"),
        (argon2.PasswordHasher, "verify"),
    ):
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    return calls


CHANGE = {"current_password": PASSWORD, "new_password": "plum otter canvas meadow"}


@pytest.mark.parametrize(
    "call",
    [
        ("POST", "/auth/login", LOGIN),
        ("POST", "/auth/register", LOGIN | {"email": "b@example.com", "first_name": "B"}),
        ("PATCH", "/users/me/password", CHANGE),
    ],
)
def test_beyond_a_limit_nothing_is_hashed_and_nothing_written(
    api: SignIn,
    alice: User,
    settings: Settings,
    hashes: list[str],
    call: tuple[str, str, dict[str, str]],
) -> None:
    """Checks 188."""
    client, (method, path, body) = api(alice), call
    limits = {"login": 1, "register": 1, "password": 1}
    settings.RATE_LIMITS = configured.RATE_LIMITS | limits
    client.call(method, path, {})
    before = written()
    hashes.clear()
    beyond(client.call(method, path, body))
    assert (written(), hashes) == (before, [])


def written() -> list[int]:
    return [model.objects.count() for model in (Event, User, Session)]


def test_the_limit_is_looked_at_before_the_body(api: SignIn, settings: Settings) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"register": 1}
    api().post("/auth/register", {})
    content = b"[" * 200_000
    answer = api().call("POST", "/auth/register", content=content)
    beyond(answer)


def test_limits_can_be_switched_off_for_a_load_test(
    api: SignIn, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    answers = {
        call(api()).status_code for _, call in BY_ADDRESS.values() for _ in range(9)
    }
    assert answers == {422}
    assert not Counter.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [("OPTIONS", "/auth/register"), ("GET", "/auth/register"), ("PUT", "/auth/login")],
)
def test_other_methods_take_nothing_from_a_limit(
    api: SignIn, settings: Settings, method: str, path: str
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"register": 1, "login": 1}
    for _ in range(3):
        assert api().call(method, path).status_code == 405
    assert api().post(path, {}).status_code == 422


def test_no_count_tells_whom_it_counts(api: SignIn, settings: Settings) -> None:
    settings.REDIS_URL = ""
    api().post("/auth/login", LOGIN | {"password": "x" * 12})
    keys = Counter.objects.values_list("key", flat=True)
    assert len(keys) == 4
    assert all(len(key) == 64 and int(key, 16) for key in keys)


def test_names_and_people_are_counted_apart(settings: Settings) -> None:
    settings.RATE_LIMITS = {"one": 1, "two": 1}
    assert excess("one", "a") is excess("two", "a") is excess("one", "b") is None
    wait = excess("one", "a")
    assert wait is not None
    assert 0 <= wait <= 60


def test_a_limit_beside_the_throttle_says_the_same(settings: Settings) -> None:
    settings.RATE_LIMITS = {"one": 1}
    enforce("one", "a")
    with pytest.raises(TooManyRequests):
        enforce("one", "a")
