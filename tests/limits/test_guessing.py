"""Guessing of passwords: bounded everywhere, for ever nowhere, and in nobody's way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from config import context
from limits import guessing
from limits.errors import TooManyAttempts
from limits.models import Counter
from tests.client import Api
from tests.config.console import enter
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unhurried", "own_clock")]

ALICE = {"email": "alice@example.com", "password": PASSWORD}
WRONG = "wrong wrong wrong wrong"
ATTACKER = "203.0.113.66"


@pytest.fixture
def unhurried(settings: Settings) -> None:
    """Calls a minute have tests of their own, and so has the cost of a hash."""
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login": 10_000}
    settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES = 8, 1


@pytest.fixture
def alice(unhurried: None) -> User:
    password = make_password(PASSWORD)
    return UserFactory.create(email="alice@example.com", password=password)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


def guess(client: Api, email: str = "alice@example.com", peer: str = ATTACKER) -> int:
    body = {"email": email, "password": WRONG}
    return client.post("/auth/login", body, peer=peer).status_code


def sign_in(client: Api, peer: str, email: str = "alice@example.com") -> int:
    body = ALICE | {"email": email}
    return client.post("/auth/login", body, peer=peer).status_code


# --- The account from one address ----------------------------------------------------


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_an_unknown_account_is_blocked_like_a_known_one(
    api: SignIn, alice: User, email: str
) -> None:
    """Or the block would tell who has an account (checks 22, 25)."""
    assert [guess(api(), email) for _ in range(12)] == [401] * 10 + [429] * 2
    body = {"email": email, "password": WRONG}
    answer = api().post("/auth/login", body, peer=ATTACKER)
    refused(answer, 429, "too_many_attempts")
    assert 1 <= int(answer.headers["Retry-After"]) <= 15 * 60


def test_spellings_of_an_address_are_one_account(api: SignIn, alice: User) -> None:
    spellings = [
        "ALICE@example.com",
        "alice@EXAMPLE.COM",
        " alice@example.com ",
        "aLiCe@\uff25xample.com",
    ]
    statuses = [guess(api(), spellings[n % 4]) for n in range(11)]
    assert statuses == [401] * 10 + [429]


def test_a_subscriber_has_one_address_to_guess_from(api: SignIn, alice: User) -> None:
    """Checks 194."""
    peers = [f"2001:db8:1:2::{number:x}" for number in range(11)]
    assert [guess(api(), peer=peer) for peer in peers] == [401] * 10 + [429]
    assert guess(api(), peer="2001:db8:1:3::1") == 401


def test_the_block_is_recorded_once_and_with_whom_it_is_about(
    api: SignIn, alice: User
) -> None:
    for _ in range(20):
        guess(api())
    event = Event.objects.get(action="sign_in.blocked")
    assert (event.outcome, event.target_id, event.address) == (
        "denied",
        alice.pk,
        ATTACKER,
    )
    assert Event.objects.filter(action="sign_in.failed").count() == 10


def test_the_window_begins_with_the_first_failure_and_knocking_makes_it_no_longer(
    api: SignIn, alice: User, clock: time_machine.Traveller
) -> None:
    """Checks 25: never permanent."""
    for _ in range(11):
        guess(api())
    for _ in range(14):
        clock.shift(timedelta(minutes=1))
        assert sign_in(api(), ATTACKER) == 429
    clock.shift(timedelta(minutes=1))
    assert sign_in(api(), ATTACKER) == 200


def test_a_success_elsewhere_gives_the_guesser_nothing(api: SignIn, alice: User) -> None:
    """It clears its own pair only."""
    for _ in range(9):
        guess(api())
    assert sign_in(api(), "198.51.100.1") == 200
    assert [guess(api()), guess(api())] == [401, 429]


def test_a_right_password_begins_the_count_anew(api: SignIn, alice: User) -> None:
    for _ in range(3):
        assert {guess(api()) for _ in range(9)} == {401}
        assert sign_in(api(), ATTACKER) == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": "alice@example.com", "password": "x" * 129},
        {"email": "alice@example.com"},
        {"email": "alice@", "password": WRONG},
    ],
)
def test_what_is_no_proof_is_not_counted(
    api: SignIn, alice: User, body: dict[str, str]
) -> None:
    for _ in range(12):
        assert api().post("/auth/login", body, peer=ATTACKER).status_code == 422
    assert sign_in(api(), ATTACKER) == 200


# --- The account from everywhere, and the address to everybody -----------------------


def test_an_account_is_guessed_at_fifty_times_an_hour_from_everywhere(
    api: SignIn, alice: User, clock: time_machine.Traveller
) -> None:
    assert {guess(api(), peer=f"203.0.113.{n}") for n in range(50)} == {401}
    assert guess(api(), peer="203.0.113.99") == 429
    assert sign_in(api(), "203.0.113.100") == 429
    clock.shift(timedelta(hours=1))
    assert sign_in(api(), "203.0.113.100") == 200


def test_one_blocked_guesser_who_goes_on_shuts_out_nobody_else(
    api: SignIn, alice: User
) -> None:
    """Checks 32: refused attempts prove nothing, so they are no failures of the account
    either; or one address alone could lock it for everybody.
    """
    for _ in range(80):
        guess(api())
    assert sign_in(api(), "198.51.100.1") == 200


def test_an_address_known_to_the_account_is_let_in_while_others_guess(
    api: SignIn, alice: User, clock: time_machine.Traveller
) -> None:
    assert sign_in(api(), "198.51.100.1") == 200
    clock.shift(timedelta(days=29))
    for number in range(60):
        guess(api(), peer=f"203.0.113.{number}")
    assert sign_in(api(), "198.51.100.2") == 429
    assert sign_in(api(), "198.51.100.1") == 200


def test_an_address_is_forgotten_after_thirty_days(
    api: SignIn, alice: User, clock: time_machine.Traveller
) -> None:
    assert sign_in(api(), "198.51.100.1") == 200
    clock.shift(timedelta(days=30))
    for number in range(51):
        guess(api(), peer=f"203.0.113.{number}")
    assert sign_in(api(), "198.51.100.1") == 429


def test_a_known_address_may_not_guess_without_end_either(
    api: SignIn, alice: User
) -> None:
    assert sign_in(api(), ATTACKER) == 200
    assert [guess(api()) for _ in range(12)] == [401] * 10 + [429] * 2


def test_an_address_tries_thirty_accounts_a_minute(
    api: SignIn, alice: User, clock: time_machine.Traveller
) -> None:
    statuses = [guess(api(), f"person{number}@example.com") for number in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    assert sign_in(api(), ATTACKER) == 429
    assert sign_in(api(), "198.51.100.1") == 200
    clock.shift(timedelta(minutes=1))
    assert sign_in(api(), ATTACKER) == 200


def test_a_whole_office_signs_in_from_one_address(api: SignIn) -> None:
    """Success gives its count back."""
    people = UserFactory.create_batch(40, password=make_password(PASSWORD))
    statuses = {sign_in(api(), "198.51.100.1", person.email) for person in people}
    assert statuses == {200}


# --- Other doors ---------------------------------------------------------------------


def test_the_console_counts_with_the_api(api: SignIn, root: User) -> None:
    """Checks 222."""
    for _ in range(5):
        assert guess(api(), root.email, peer=api().peer) == 401
        assert enter(api(), root.email, WRONG).status_code == 200
    for password in (WRONG, PASSWORD):
        assert "console" not in enter(api(), root.email, password).cookies
    assert sign_in(api(), api().peer, root.email) == 429


def test_a_change_of_password_counts_with_the_rest(api: SignIn, alice: User) -> None:
    client = api(alice)
    for _ in range(10):
        assert guess(api(), peer=client.peer) == 401
    change = {"current_password": PASSWORD, "new_password": "plum otter canvas meadow"}
    refused(client.patch("/users/me/password", change), 429, "too_many_attempts")
    assert client.get("/users/me").status_code == 200


def test_switched_off_nothing_is_counted(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    assert {guess(api()) for _ in range(12)} == {401}
    assert sign_in(api(), ATTACKER) == 200
    assert not Counter.objects.exists()


# --- The count itself ----------------------------------------------------------------


def test_the_one_attempt_that_crosses_the_line_says_so() -> None:
    context.enter(context.RequestContext(address=ATTACKER))
    for _ in range(10):
        guessing.begin("a@example.com")
    crossed = []
    for _ in range(3):
        with pytest.raises(TooManyAttempts) as refusal:
            guessing.begin("a@example.com")
        crossed.append(refusal.value.crossed)
    assert crossed == [True, False, False]


def test_without_an_address_people_share_one_count() -> None:
    """Over a unix socket without a trusted proxy (checks 192)."""
    for number in range(30):
        guessing.begin(f"person{number}@example.com")
    with pytest.raises(TooManyAttempts):
        guessing.begin("another@example.com")


def test_accounts_and_addresses_cannot_be_read_from_the_counts(
    api: SignIn, alice: User
) -> None:
    sign_in(api(), ATTACKER)
    guess(api())
    keys = " ".join(Counter.objects.values_list("key", flat=True))
    assert "alice" not in keys
    assert ATTACKER not in keys
