"""Passwords and the console: the way in, and no way around the rules."""

from typing import Any

import pytest

from accounts.models import User
from audit.models import Event, Outcome
from tests.accounts.console import LOGIN, Browser, told
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

CHANGE = "/admin/password_change/"
NEW = "plum otter canvas meadow"
FORM = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}


@pytest.fixture
def browser(api: SignIn, root: User) -> Browser:
    browser = Browser(api())
    assert browser.sign_in(root.email).status_code == 302
    return browser


# --- The way in --------------------------------------------------------------------


def test_whoever_may_not_come_in_reads_one_and_the_same_page(
    api: SignIn, root: User, alice: User
) -> None:
    """Checks 222: a right password of an ordinary person is no different."""
    UserFactory.create(email="off@example.com", is_active=False, is_staff=True)
    attempts = [
        ("root@example.com", "wrong wrong wrong"),
        ("alice@example.com", PASSWORD),
        ("alice@example.com", "wrong wrong wrong"),
        ("unknown@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
    ]
    pages = [Browser(api()).sign_in(*attempt) for attempt in attempts]
    assert {page.status_code for page in pages} == {200}
    assert len({told(page) for page in pages}) == 1
    assert not any(PASSWORD in page.text for page in pages)


def test_a_right_password_without_the_right_is_recorded(api: SignIn, alice: User) -> None:
    """Checks 215: each refused sign-in leaves an event, this one too."""
    assert Browser(api()).sign_in(alice.email).status_code == 200
    events = Event.objects.filter(target_id=alice.pk).exclude(outcome=Outcome.SUCCESS)
    assert events.count() == 1


@pytest.mark.parametrize("email", [" root@example.com ", "ROOT@Example.com"])
def test_spellings_open_the_console_too(api: SignIn, root: User, email: str) -> None:
    browser = Browser(api())
    assert browser.sign_in(email).status_code == 302
    assert browser.is_in


def test_signing_in_makes_a_new_cookie(api: SignIn, root: User) -> None:
    """One planted beforehand must not become a session (fixation)."""
    browser = Browser(api())
    browser.cookies["console"] = planted = "a" * 32
    browser.sign_in(root.email)
    assert browser.is_in
    assert browser.cookies["console"] != planted


def test_a_cookie_that_was_signed_out_is_worth_nothing(browser: Browser) -> None:
    kept = browser.cookies["console"]
    assert browser.post("/admin/logout/", {}).status_code == 200
    browser.cookies["console"] = kept
    assert not browser.is_in


@pytest.mark.parametrize("token", ["", "d" * 32, "x"])
def test_a_form_from_elsewhere_is_refused(api: SignIn, root: User, token: str) -> None:
    form = {"username": root.email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    browser = Browser(api())
    assert browser.post(LOGIN, form).status_code == 403
    assert not browser.is_in


def test_nobody_is_sent_to_another_site(api: SignIn, root: User) -> None:
    path = f"{LOGIN}?next=https://evil.example/"
    form = {"username": root.email, "password": PASSWORD}
    answer = Browser(api()).post(path, form)
    assert answer.headers["Location"].startswith("/")


@pytest.mark.parametrize("name", ["nul\0@example.com", "x" * 5_000, "%", "' OR 1=1 --"])
def test_what_is_no_name_is_no_crash(api: SignIn, name: str) -> None:
    assert Browser(api()).sign_in(name).status_code == 200


# --- No way around -----------------------------------------------------------------


def stored(user: User) -> str:
    return User.objects.get(pk=user.pk).password


def test_no_password_is_changed_past_the_rules(
    api: SignIn, browser: Browser, root: User
) -> None:
    """Django's page would count no guesses and end no session (checks 101 and 228)."""
    assert browser.post(CHANGE, FORM).status_code == 404
    assert browser.get(CHANGE).status_code == 404
    assert CHANGE not in browser.get("/admin/").text
    assert stored(root) == root.password


@pytest.mark.parametrize("field", ["password", "new_password1", "usable_password"])
def test_nobody_chooses_anothers_password(
    browser: Browser, alice: User, field: str
) -> None:
    """Checks 230."""
    form: dict[str, Any] = {"first_name": "Alice", field: NEW, "new_password2": NEW}
    page = f"/admin/accounts/user/{alice.pk}"
    for path in (f"{page}/change/", f"{page}/password/"):
        browser.post(path, form)
    assert stored(alice) == alice.password


@pytest.mark.parametrize(
    "path",
    [
        "/admin/accounts/user/",
        "/admin/accounts/user/?q=argon2",
        "/admin/accounts/user/{alice}/change/",
        "/admin/audit/event/?q={alice}",
    ],
)
def test_no_page_shows_a_hash(browser: Browser, alice: User, path: str) -> None:
    answer = browser.get(path.format(alice=alice.pk))
    assert answer.status_code == 200
    assert "argon2$" not in answer.text
    assert alice.password.rpartition("$")[2] not in answer.text


def test_every_page_is_kept_by_nobody(browser: Browser, alice: User) -> None:
    for path in (LOGIN, "/admin/", f"/admin/accounts/user/{alice.pk}/change/"):
        assert "no-store" in browser.get(path).headers["Cache-Control"]


@pytest.mark.parametrize("change", ["upgrade", "logout-all", "deactivation", "demotion"])
def test_an_open_console_ends_with_what_opened_it(
    api: SignIn, browser: Browser, root: User, change: str
) -> None:
    """Checks 223."""
    assert browser.is_in
    if change == "logout-all":
        assert api(root).post("/auth/logout-all").status_code == 200
    else:
        fields: dict[str, dict[str, Any]] = {
            "upgrade": {"password": "argon2$another"},
            "deactivation": {"is_active": False},
            "demotion": {"is_staff": False},
        }
        User.objects.filter(pk=root.pk).update(**fields[change])
    assert not browser.is_in
    assert browser.get("/admin/accounts/user/").status_code == 302
