"""Brute force: what counts as a guess, for whom, and that the count tells nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from httpx import Response
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rates")]

WRONG = "wrong wrong wrong wrong"
ELSEWHERE = "203.0.113.9"


def login(
    api: SignIn, user: User | str, password: str = PASSWORD, **kwargs: Any
) -> Response:
    email = user if isinstance(user, str) else user.email
    body = {"email": email, "password": password}
    return api().post("/auth/login", body, **kwargs)


def fail(api: SignIn, user: User | str, times: int, **kwargs: Any) -> None:
    for _ in range(times):
        assert login(api, user, WRONG, **kwargs).status_code == 401


# --- What counts -------------------------------------------------------------------


def by_form(api: SignIn, user: User) -> None:
    data = {"username": user.email, "password": WRONG}
    assert api().call("POST", "/auth/login/oauth", data=data).status_code == 401


def by_login(api: SignIn, user: User) -> None:
    assert login(api, user.email.upper(), WRONG).status_code == 401


def by_change(api: SignIn, user: User) -> None:
    body = {"current_password": WRONG, "new_password": PASSWORD}
    assert api(user).patch("/users/me/password", body).status_code == 403


def by_console(api: SignIn, user: User) -> None:
    assert Browser(api()).sign_in(user.email, WRONG).status_code == 200


DOORS = [by_form, by_login, by_change, by_console]


@pytest.mark.parametrize("last", DOORS)
def test_every_door_counts_into_one(
    api: SignIn, root: User, last: Callable[[SignIn, User], None]
) -> None:
    for number in range(9):
        DOORS[number % 4](api, root)
    last(api, root)
    assert login(api, root).status_code == 429
    assert Browser(api()).sign_in(root.email).status_code == 200
    change = {"current_password": PASSWORD, "new_password": "plum otter canvas meadow"}
    assert api(root).patch("/users/me/password", change).status_code == 429
    assert User.objects.get(pk=root.pk).password == root.password


@pytest.mark.parametrize("spelling", ["Alice@Example.com", " alice@EXAMPLE.com "])
def test_spellings_of_an_address_are_one_account(
    api: SignIn, alice: User, spelling: str
) -> None:
    fail(api, alice, 5)
    fail(api, spelling, 5)
    assert login(api, alice).status_code == 429
    assert login(api, spelling).status_code == 429


@pytest.mark.parametrize(
    "body",
    [
        {"email": "alice@example.com"},
        {"email": "alice@example.com", "password": "x" * 129},
        {"email": "alice@", "password": PASSWORD},
        [],
    ],
)
def test_what_is_no_attempt_is_not_counted(
    api: SignIn, alice: User, body: object
) -> None:
    for _ in range(12):
        assert api().post("/auth/login", body).status_code == 422
    assert login(api, alice).status_code == 200


@pytest.mark.parametrize("state", ["inactive", "deleted", "without a password"])
def test_guesses_at_a_closed_account_count_like_any_others(
    api: SignIn, alice: User, state: str
) -> None:
    if state == "without a password":
        alice.set_unusable_password()
    else:
        alice.is_active = False
        alice.deleted_at = datetime.now(UTC) if state == "deleted" else None
    alice.save()
    statuses = [login(api, alice).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


# --- What it tells -----------------------------------------------------------------


def told(answer: Response) -> tuple[Any, ...]:
    body = answer.json() | {"instance": ""}
    return answer.status_code, body, set(answer.headers)


def test_known_and_unknown_accounts_look_alike_to_the_end(
    api: SignIn, alice: User
) -> None:
    known = [told(login(api, alice, WRONG)) for _ in range(12)]
    unknown = [told(login(api, "x@example.com", WRONG)) for _ in range(12)]
    assert known == unknown


def test_whoever_is_blocked_learns_nothing_and_costs_no_hash(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    fail(api, alice, 10)
    hashings.clear()
    right, wrong = login(api, alice), login(api, alice, WRONG)
    assert told(right) == told(wrong)
    assert right.json()["errors"][0]["code"] == "too_many_attempts"
    assert hashings == []


def test_each_failure_is_recorded_and_the_block_once(api: SignIn, alice: User) -> None:
    fail(api, alice, 10)
    for _ in range(5):
        login(api, alice, WRONG)
    events = Event.objects.filter(target_id=alice.pk, actor_id=None)
    assert events.filter(action="sign_in.failed", outcome="failure").count() == 10
    blocked = events.get(action="sign_in.blocked")
    assert (blocked.outcome, blocked.address) == ("denied", "198.51.100.7")


def test_a_failed_sign_in_costs_one_hash_whatever_is_wrong(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    """Checks 23, without a clock: the same work behind every refusal."""
    UserFactory.create(email="off@example.com", is_active=False)
    hashings.clear()
    for number, email in enumerate(("alice", "unknown", "off"), start=1):
        login(api, f"{email}@example.com", WRONG)
        assert len(hashings) == number


# --- For whom ----------------------------------------------------------------------


def test_own_sign_ins_give_an_attacker_no_further_guess(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.GUESSES_PER_ACCOUNT = (3, timedelta(hours=1))
    assert login(api, alice).status_code == 200
    for number in range(3):
        fail(api, alice, 1, peer=f"203.0.113.{number}")
    for _ in range(5):
        assert login(api, alice).status_code == 200
    assert login(api, alice, WRONG, peer=ELSEWHERE).status_code == 429


def test_from_a_known_address_too_one_may_guess_ten_times_only(
    api: SignIn, alice: User
) -> None:
    assert login(api, alice).status_code == 200
    fail(api, alice, 10)
    assert login(api, alice).status_code == 429


def test_an_address_may_try_thirty_accounts_a_minute(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    for number in range(30):
        fail(api, f"person{number}@example.com", 1)
    hashings.clear()
    assert login(api, alice).status_code == 429
    assert hashings == []
    assert login(api, alice, peer=ELSEWHERE).status_code == 200


def test_many_right_sign_ins_from_one_address_are_no_guessing(
    api: SignIn, settings: Settings
) -> None:
    """An office behind one address."""
    settings.GUESSES_PER_ADDRESS = (3, timedelta(minutes=1))
    for number in range(8):
        person = UserFactory.create(email=f"colleague{number}@example.com")
        assert login(api, person).status_code == 200


def test_one_persons_guesses_are_no_burden_to_others_of_that_address(
    api: SignIn, alice: User, bob: User
) -> None:
    fail(api, alice, 10)
    assert login(api, alice).status_code == 429
    assert login(api, bob).status_code == 200


# --- For how long ------------------------------------------------------------------


@pytest.mark.usefixtures("own_clock")
def test_trying_on_does_not_prolong_the_block(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        fail(api, alice, 10)
        waits = []
        for _ in range(4):
            answer = login(api, alice)
            waits.append(int(answer.headers["Retry-After"]))
            clock.shift(timedelta(minutes=3))
        assert waits == [900, 720, 540, 360]
        clock.shift(timedelta(minutes=3, seconds=1))
        assert login(api, alice).status_code == 200


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("days", "status"), [(29, 200), (31, 429)])
def test_an_address_is_known_for_thirty_days(
    api: SignIn, alice: User, days: int, status: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        assert login(api, alice).status_code == 200
        clock.shift(timedelta(days=days))
        for number in range(50):
            fail(api, alice, 1, peer=f"203.0.113.{number}")
        assert login(api, alice).status_code == status


@pytest.mark.usefixtures("own_clock")
def test_guesses_from_everywhere_block_for_an_hour_at_most(
    api: SignIn, alice: User
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for number in range(50):
            fail(api, alice, 1, peer=f"203.0.113.{number}")
        refused = login(api, alice, peer="203.0.113.99")
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert wait <= 3600
        clock.shift(timedelta(seconds=wait + 1))
        assert login(api, alice, peer="203.0.113.99").status_code == 200


def test_counting_can_be_turned_off(api: SignIn, settings: Settings, alice: User) -> None:
    settings.RATELIMIT_ENABLE = False
    fail(api, alice, 12)
    assert login(api, alice).status_code == 200


# --- The console -------------------------------------------------------------------


def test_the_console_is_closed_to_whoever_is_blocked(api: SignIn) -> None:
    """Checks 222: also with the right password, and in the same words."""
    boss = make_superuser(email="boss@example.com")
    fail(api, boss, 10)
    browser = Browser(api())
    right = browser.sign_in(boss.email)
    wrong = browser.sign_in(boss.email, WRONG)
    assert right.status_code == wrong.status_code == 200
    assert not browser.is_in
    other = Browser(api(), peer=ELSEWHERE)
    assert other.sign_in(boss.email).status_code == 302
    assert other.is_in
