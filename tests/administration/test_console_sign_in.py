"""The console's sign-in is limited as that of the API is, and with it (checks 222)."""

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock", "one_moment")]

WRONG = "wrong wrong wrong"


@pytest.fixture
def one_moment() -> object:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def refusals() -> int:
    return Event.objects.filter(action="sign_in.failed").count()


@pytest.mark.parametrize("first", ["api", "console"])
def test_ten_wrong_ones_shut_both_doors(api: SignIn, root: User, first: str) -> None:
    body = {"email": root.email, "password": WRONG}
    for _ in range(10):
        if first == "api":
            api().post("/auth/login", body)
        else:
            Browser(api()).sign_in(root.email, WRONG)
    browser = Browser(api())
    browser.sign_in(root.email)
    assert not browser.is_in
    answer = api().post("/auth/login", body | {"password": PASSWORD})
    assert answer.status_code == 429


def test_thirty_accounts_tried_at_the_console_shut_the_address_out(
    api: SignIn, root: User
) -> None:
    for number in range(30):
        Browser(api()).sign_in(f"person{number}@example.com", WRONG)
    browser = Browser(api())
    browser.sign_in(root.email)
    assert not browser.is_in
    elsewhere = Browser(api(), peer="203.0.113.9")
    elsewhere.sign_in(root.email)
    assert elsewhere.is_in


def test_a_right_password_at_the_wrong_door_is_not_tried_without_end(
    api: SignIn, alice: User
) -> None:
    """Each is a hash, and a row of the log for good."""
    limit = settings.RATE_LIMITS["login"]
    for _ in range(limit + 5):
        Browser(api()).sign_in(alice.email)
    assert refusals() <= limit


def test_sign_ins_a_minute_are_one_count_with_those_of_the_api(
    api: SignIn, root: User
) -> None:
    person = UserFactory.create()
    body = {"email": person.email, "password": PASSWORD}
    statuses = [api().post("/auth/login", body).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    browser = Browser(api())
    browser.sign_in(root.email)
    assert not browser.is_in
