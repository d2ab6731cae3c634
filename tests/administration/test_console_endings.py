"""An open console is shut by whatever ends its person's sessions, and stays shut."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import User
from tests.accounts.console import CONFIRMED, Browser
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import token

pytestmark = pytest.mark.django_db

NEW = "plum otter canvas meadow"
PEOPLE = "/admin/accounts/user/"


@pytest.fixture
def browser(api: SignIn, root: User) -> Browser:
    browser = Browser(api())
    assert browser.sign_in(root.email).status_code == 302
    return browser


@pytest.fixture
def other(api: SignIn, second: User) -> Browser:
    """Another superuser's."""
    browser = Browser(api())
    assert browser.sign_in(second.email).status_code == 302
    return browser


def change(own: Api, root: User) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert own.patch("/users/me/password", body).status_code == 200


def reset(own: Api, root: User) -> None:
    own.post("/auth/password-reset/request", {"email": root.email})
    body = {"token": token("password_reset", to=root.email), "new_password": NEW}
    assert own.post("/auth/password-reset/confirm", body).status_code == 200


def leave(own: Api, root: User) -> None:
    body = {"current_password": PASSWORD}
    assert own.delete("/users/me", body).status_code == 200


@pytest.mark.parametrize("end", [change, reset, leave])
def test_what_people_do_themselves_shuts_their_console(
    api: SignIn,
    browser: Browser,
    root: User,
    second: User,
    end: Callable[[Api, User], None],
) -> None:
    """Checks 223."""
    assert browser.is_in
    end(api(root), root)
    assert not browser.is_in


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/deactivate", None),
        ("DELETE", "", None),
        ("PUT", "", {"is_superuser": False}),
    ],
)
def test_another_superuser_shuts_it_by_a_call(  # noqa: PLR0917  # a table
    api: SignIn,
    browser: Browser,
    root: User,
    second: User,
    method: str,
    path: str,
    body: dict[str, bool] | None,
) -> None:
    answer = api(second).call(method, f"/admin/users/{root.pk}{path}", body)
    assert answer.status_code == 200
    assert not browser.is_in


def act(console: Browser, action: str, person: User) -> None:
    form = {"action": action, "_selected_action": str(person.pk), **CONFIRMED}
    assert console.post(PEOPLE, form).status_code == 302


@pytest.mark.parametrize("action", ["deactivate", "delete_softly", "end_sessions"])
def test_another_superuser_shuts_it_by_an_action(
    browser: Browser, other: Browser, root: User, action: str
) -> None:
    act(other, action, root)
    assert not browser.is_in


@pytest.mark.parametrize(
    ("out", "back"), [("deactivate", "activate"), ("delete_softly", "restore")]
)
def test_who_is_let_in_again_signs_in_again(
    browser: Browser, other: Browser, root: User, out: str, back: str
) -> None:
    act(other, out, root)
    act(other, back, root)
    assert not browser.is_in
    assert browser.sign_in(root.email).status_code == 302


def test_who_has_the_right_again_signs_in_again(
    browser: Browser, other: Browser, root: User
) -> None:
    """A stolen cookie, kept warm, must not wait for its right to come back."""
    form = {"first_name": "Root", "email_verified": "", **CONFIRMED}
    rights = {"is_staff": "on", "is_superuser": "on"}
    taken = {"initial-is_staff": "True", "initial-is_superuser": "True"}
    for given in (taken, rights):
        answer = other.post(f"{PEOPLE}{root.pk}/change/", form | given)
        assert answer.status_code == 302
        assert User.objects.get(pk=root.pk).is_staff is (given is rights)
        assert not browser.is_in


def test_no_console_is_open_for_longer_than_twelve_hours(browser: Browser) -> None:
    """However busy it is kept (OWASP ASVS 5.0, 7.3.2)."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(12 * 3 - 1):
            clock.shift(timedelta(minutes=20))
            assert browser.is_in
        clock.shift(timedelta(minutes=20))
        assert not browser.is_in


def test_a_superuser_who_becomes_support_keeps_no_power(
    browser: Browser, root: User, alice: User
) -> None:
    """Also not what the password was just given for."""
    act(browser, "deactivate", alice)
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    form = {"action": "activate", "_selected_action": str(alice.pk), "confirmed": "yes"}
    assert browser.post(PEOPLE, form).status_code == 403
    assert not User.objects.get(pk=alice.pk).is_active


def test_a_cookie_that_was_copied_is_worth_nothing_once_the_password_was_given(
    api: SignIn, browser: Browser, alice: User, bob: User
) -> None:
    """OWASP ASVS 5.0, 7.2.4: else the owner confirms for the thief."""
    thief = Browser(api(), peer="203.0.113.9")
    thief.cookies["console"] = browser.cookies["console"]
    assert thief.is_in
    act(browser, "deactivate", alice)
    form = {"action": "deactivate", "_selected_action": str(bob.pk), "confirmed": "yes"}
    thief.post(PEOPLE, form)
    assert User.objects.get(pk=bob.pk).is_active
    assert not thief.is_in
    assert browser.is_in
