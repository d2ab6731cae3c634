"""What superusers do in the console is asked about first, and needs the password."""

import csv
import io
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.errors import WrongPassword
from accounts.models import User
from audit.models import Event
from config import confirming
from config.errors import ConfirmationNeeded, NotFound, TooManyChosen, TooManyRequests
from config.hop import may_hash
from outbox.models import Mail
from sessions_app.models import Session
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser
from tests.mailbox import mails

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/accounts/user/"
ACTIONS = (
    "activate",
    "deactivate",
    "end_sessions",
    "mail_reset_links",
    "delete_softly",
    "restore",
    "export",
)


def choose(console: Browser, action: str, *people: User, **form: str) -> httpx.Response:
    chosen = [str(person.pk) for person in people]
    return console.post(PEOPLE, {"action": action, "_selected_action": chosen, **form})


def act(console: Browser, action: str, *people: User) -> str:
    """What the page says then."""
    assert choose(console, action, *people, **CONFIRMED).status_code == 302
    return unescape(console.get(PEOPLE).text)


def stored(person: User) -> User:
    return User.objects.get(pk=person.pk)


def actions(*wanted: str) -> list[str]:
    return list(Event.objects.filter(action__in=wanted).values_list("outcome", flat=True))


# --- Being asked -------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_done_before_it_was_confirmed(
    console: Browser, alice: User, bob: User, action: str
) -> None:
    before = list(User.objects.order_by("pk").values()), Mail.objects.count()
    told = Event.objects.count()
    page = choose(console, action, alice, bob)
    assert page.status_code == 200
    for shown in ("alice@example.com", "bob@example.com", "<strong>2</strong>"):
        assert shown in page.text
    assert 'type="password"' in page.text
    assert PASSWORD not in page.text
    assert (list(User.objects.order_by("pk").values()), Mail.objects.count()) == before
    assert Event.objects.count() == told


@pytest.mark.parametrize(
    ("password", "reason"),
    [("", ConfirmationNeeded), ("wrong", WrongPassword), ("x" * 5000, WrongPassword)],
)
def test_without_the_password_nothing_is_done(
    console: Browser, alice: User, password: str, reason: Any
) -> None:
    form = {"confirmed": "yes", "confirm_password": password}
    page = choose(console, "deactivate", alice, **form)
    assert page.status_code == 200
    assert reason.message in page.text
    assert stored(alice).is_active
    failed = ["failure"] if password else []
    assert actions("console.confirmed") == failed


def test_the_password_counts_for_ten_minutes(console: Browser, alice: User) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        act(console, "deactivate", alice)
        page = choose(console, "activate", alice)
        assert 'type="password"' not in page.text
        clock.shift(timedelta(minutes=9, seconds=59))
        choose(console, "activate", alice, confirmed="yes")
        assert stored(alice).is_active
        clock.shift(timedelta(seconds=1))
        choose(console, "deactivate", alice, confirmed="yes")
        assert stored(alice).is_active
    assert actions("console.confirmed") == ["success"]


def test_a_confirmation_ends_with_the_session(
    console: Browser, root: User, alice: User
) -> None:
    act(console, "deactivate", alice)
    console.post("/admin/logout/", {})
    console.sign_in(root.email)
    choose(console, "activate", alice, confirmed="yes")
    assert not stored(alice).is_active


def test_guesses_here_and_at_the_sign_in_are_one_count(
    api: SignIn, console: Browser, root: User, alice: User
) -> None:
    wrong = {"confirmed": "yes", "confirm_password": "wrong"}
    for _ in range(10):
        choose(console, "deactivate", alice, **wrong)
    page = choose(console, "deactivate", alice, **CONFIRMED)
    assert "Too many" in page.text
    assert stored(alice).is_active
    body = {"email": root.email, "password": PASSWORD}
    assert api().post("/auth/login", body).status_code == 429


@pytest.mark.parametrize(
    ("method", "path", "hashes"),
    [
        ("POST", "/admin/login/", True),
        ("POST", PEOPLE, True),
        ("GET", PEOPLE, False),
        ("POST", "/api/v1/auth/login", True),
        ("POST", "/api/v1/auth/refresh", False),
    ],
)
def test_a_form_of_the_console_waits_where_hashing_waits(
    method: str, path: str, hashes: bool
) -> None:
    assert may_hash(method, path) is hashes


def test_too_many_at_once_are_refused(
    console: Browser, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "MAXIMUM", 1)
    choose(console, "deactivate", alice, bob, **CONFIRMED)
    assert TooManyChosen.message in console.get(PEOPLE).text
    assert stored(alice).is_active


def test_what_is_confirmed_is_what_was_shown(console: Browser, alice: User) -> None:
    """Who comes to match the search meanwhile is not among the chosen."""
    form = {"action": "deactivate", "select_across": "1"}
    page = console.post(f"{PEOPLE}?q=alice", {**form, "_selected_action": str(alice.pk)})
    assert f'name="_selected_action" value="{alice.pk}"' in page.text
    assert 'name="select_across" value="0"' in page.text


def test_a_session_ends_after_half_an_hour_without_a_request(
    api: SignIn, root: User, own_clock: None
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = Browser(api())
        browser.sign_in(root.email)
        for _ in range(3):
            clock.shift(timedelta(minutes=29))
            assert browser.is_in
        clock.shift(timedelta(minutes=30, seconds=1))
        assert not browser.is_in


def test_some_are_named_and_the_others_are_counted(console: Browser) -> None:
    people = [UserFactory.create() for _ in range(12)]
    page = choose(console, "deactivate", *people).text
    assert "<strong>12</strong>" in page
    assert page.count("@example.com</li>") == 10
    assert "and others" in page


# --- Rights ------------------------------------------------------------------------


def profile(person: User, **changes: str) -> dict[str, str]:
    return {"first_name": person.first_name, "locale": "", "last_name": "", **changes}


@pytest.mark.parametrize(
    ("password", "told", "given"),
    [
        ("", ConfirmationNeeded.message, False),
        ("wrong", WrongPassword.message, False),
        (PASSWORD, "was changed successfully", True),
    ],
)
def test_a_right_is_given_by_who_knows_the_password(
    console: Browser, alice: User, password: str, told: str, given: bool
) -> None:
    page = f"{PEOPLE}{alice.pk}/change/"
    assert 'name="confirm_password"' in console.get(page).text
    form = profile(alice, is_staff="on", first_name="Alix", confirm_password=password)
    assert console.post(page, form).status_code == 302
    assert told in console.get(page).text
    after = stored(alice)
    assert (after.is_staff, after.first_name == "Alix") == (given, given)


def test_a_profile_needs_no_password(console: Browser, alice: User) -> None:
    console.post(f"{PEOPLE}{alice.pk}/change/", profile(alice, first_name="Alix"))
    assert stored(alice).first_name == "Alix"


def test_who_is_deleted_is_only_looked_at(console: Browser, alice: User) -> None:
    act(console, "delete_softly", alice)
    page = f"{PEOPLE}{alice.pk}/change/"
    assert 'name="first_name"' not in console.get(page).text
    assert console.post(page, profile(alice, first_name="Alix")).status_code == 403
    assert stored(alice).first_name == "Alice"


# --- Restoring ---------------------------------------------------------------------


def test_who_was_deleted_is_restored(
    console: Browser, api: SignIn, alice: User, root: User
) -> None:
    device = api(alice)
    act(console, "delete_softly", alice)
    assert "1 people changed." in act(console, "restore", alice)
    after = stored(alice)
    assert (after.is_active, after.deleted_at) == (True, None)
    assert device.get("/users/me").status_code == 401
    body = {"email": alice.email, "password": PASSWORD}
    assert api().post("/auth/login", body).status_code == 200
    event = Event.objects.get(action="user.restored")
    assert (event.actor_id, event.target_id) == (root.pk, alice.pk)
    assert len(mails("accounts.welcome_back", to=alice.email)) == 1


@pytest.mark.parametrize("state", ["here", "inactive", "anonymised"])
def test_who_cannot_be_restored_stays_as_they_are(
    console: Browser, alice: User, state: str
) -> None:
    now = timezone.now()
    gone = {"is_active": False, "deleted_at": now, "anonymized_at": now}
    changes: dict[str, dict[str, Any]] = {
        "here": {},
        "inactive": {"is_active": False},
        "anonymised": gone,
    }
    if changes[state]:
        User.objects.filter(pk=alice.pk).update(**changes[state])
    before = User.objects.values().get(pk=alice.pk)
    assert NotFound.message in act(console, "restore", alice)
    assert User.objects.values().get(pk=alice.pk) == before
    assert actions("user.restored") == []


def test_restoring_fifty_costs_as_many_statements_as_one(console: Browser) -> None:
    counts = []
    for number in (1, 50):
        people = [UserFactory.create() for _ in range(number)]
        act(console, "delete_softly", *people)
        with CaptureQueriesContext(connection) as queries:
            choose(console, "restore", *people, **CONFIRMED)
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]


# --- The rest ----------------------------------------------------------------------


def test_a_link_for_a_new_password_is_mailed_and_no_password_is_seen(
    console: Browser, alice: User, bob: User, root: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    told = act(console, "mail_reset_links", alice, bob)
    assert "1 people changed." in told
    assert NotFound.message in told
    (mail,) = mails("accounts.password_reset")
    assert mail.recipient == alice.email
    assert stored(alice).password == alice.password
    event = Event.objects.get(action="password.reset_requested")
    assert (event.actor_id, event.target_id) == (root.pk, alice.pk)


def test_nobody_is_flooded_with_links(
    console: Browser, alice: User, settings: Any
) -> None:
    settings.MAILS_PER_ADDRESS = ((1, timedelta(hours=1)),)
    act(console, "mail_reset_links", alice)
    assert TooManyRequests.message in act(console, "mail_reset_links", alice)
    assert len(mails("accounts.password_reset")) == 1


def test_sessions_of_people_are_ended_by_who_is_named(
    console: Browser, api: SignIn, alice: User, root: User
) -> None:
    device = api(alice)
    told = act(console, "end_sessions", alice)
    assert "1 sessions ended." in told
    assert "people changed" not in told
    assert device.get("/users/me").status_code == 401
    assert not Session.objects.active().exists()
    event = Event.objects.get(action="session.ended")
    assert (event.actor_id, event.data) == (root.pk, {"reason": "revoked"})


# --- Files -------------------------------------------------------------------------


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_people_are_exported_without_what_signs_in(
    console: Browser, alice: User, root: User
) -> None:
    answer = choose(console, "export", alice, **CONFIRMED)
    (row,) = rows_of(answer)
    assert (row["email"], row["is_active"]) == ("alice@example.com", "True")
    assert not {"password", "email_key", "session_epoch"} & row.keys()
    assert "argon2" not in answer.text
    event = Event.objects.get(action="users.exported")
    assert (event.actor_id, event.data) == (root.pk, {"everybody_found": False})


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula(console: Browser, alice: User, name: str) -> None:
    User.objects.filter(pk=alice.pk).update(first_name=name, last_name="a=b")
    answer = choose(console, "export", alice, **CONFIRMED)
    (row,) = csv.reader(answer.text.splitlines(keepends=True)[1:])
    assert [f"'{name}", "a=b"] == row[3:5]


def test_all_that_a_search_found_is_exported(
    console: Browser, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.sheets.BATCH", 2)
    monkeypatch.setattr(confirming, "MAXIMUM", 1)
    people = [UserFactory.create(last_name="Found") for _ in range(5)]
    form = {"action": "export", "select_across": "1", **CONFIRMED}
    chosen = {"_selected_action": str(people[0].pk)}
    answer = console.post(f"{PEOPLE}?q=found", {**form, **chosen})
    assert {row["id"] for row in rows_of(answer)} == {str(one.pk) for one in people}


def test_the_actor_of_an_action_is_no_victim_of_it(
    console: Browser, root: User, alice: User
) -> None:
    """Checks 127: oneself is skipped, the others are done."""
    make_superuser(email="second@example.com")
    told = act(console, "delete_softly", root, alice)
    assert "You cannot do this to your own account." in told
    assert stored(root).is_active
    assert stored(alice).deleted_at is not None
