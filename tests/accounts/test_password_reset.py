"""A lost password: who is mailed, and what a link that is followed changes."""

import base64
from statistics import median
from time import perf_counter, sleep
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from httpx import Response
from pytest_django.fixtures import Settings

from accounts.models import Proof, User
from audit.models import Event, Outcome
from sessions_app.models import EndReason, Session
from tests.accounts.console import Browser
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

REQUEST = "/auth/password-reset/request"
CONFIRM = "/auth/password-reset/confirm"
ALICE = "alice@example.com"
NEW = "lantern gravel oyster tundra"


def ask(client: Api, email: str = ALICE, **kwargs: Any) -> Response:
    return client.post(REQUEST, {"email": email}, **kwargs)


def mailed(client: Api, email: str = ALICE) -> str:
    assert ask(client, email).status_code == 200
    return token("password_reset", to=email)


def confirm(client: Api, link: str, new: str = NEW) -> Response:
    return client.post(CONFIRM, {"token": link, "new_password": new})


def login(client: Api, password: str, email: str = ALICE, **kwargs: Any) -> Response:
    return client.post("/auth/login", {"email": email, "password": password}, **kwargs)


def anew(user: User) -> User:
    return User.objects.get(pk=user.pk)


# --- Asking ------------------------------------------------------------------------


@pytest.mark.usefixtures("no_rates")
def test_nobody_learns_who_has_an_account_and_one_mail_is_written(
    api: SignIn, alice: User
) -> None:
    """Checks 93. Without a password one may still be set: the address is the proof."""
    UserFactory.create(email="inactive@example.com", is_active=False)
    now = timezone.now()
    UserFactory.create(email="deleted@example.com", is_active=False, deleted_at=now)
    names = ("alice", "unknown", "inactive", "deleted")
    answers = [ask(api(), f"{name}@example.com") for name in names]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert set(answers[0].json()) == {"success", "message"}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    [mail] = mails()
    assert (mail.kind, mail.recipient) == ("accounts.password_reset", ALICE)
    assert mail.person_id == alice.pk
    assert Proof.objects.count() == 1
    told = Event.objects.filter(action="password.reset_requested").order_by("pk")
    assert [event.outcome for event in told] == [Outcome.SUCCESS] + 3 * [Outcome.FAILURE]
    assert [event.target_id for event in told] == [alice.pk, None, None, None]


def test_without_a_password_the_answer_is_the_same_and_one_can_be_set(
    api: SignIn,
) -> None:
    none = UserFactory.create(email="none@example.com", password=make_password(None))
    assert ask(api(), none.email).content == ask(api(), "unknown@example.com").content
    assert confirm(api(), token("password_reset")).status_code == 200
    assert login(api(), NEW, none.email).status_code == 200


@pytest.mark.parametrize("spelling", ["ALICE@example.com", " Alice@EXAMPLE.com "])
def test_the_mail_goes_to_the_address_of_the_account_not_to_what_was_typed(
    api: SignIn, alice: User, spelling: str
) -> None:
    """CVE-2019-19844: a look-alike must not receive somebody else's link."""
    assert ask(api(), spelling).status_code == 200
    assert [mail.recipient for mail in mails()] == [ALICE]


@pytest.mark.parametrize(
    "email", ["", "alice", "a@b\r\nBcc: x@y.io", "a\0@b.io", "a" * 300, 7, None, []]
)
def test_what_is_no_address_is_refused_and_unheard_of(
    api: SignIn, alice: User, email: Any
) -> None:
    answer = api().post(REQUEST, {"email": email})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "email")
    assert (mails(), Event.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "evil.io"},
        {"X-Forwarded-Host": "evil.io", "X-Forwarded-Proto": "gopher"},
        {"Origin": "https://evil.io", "Referer": "https://evil.io/"},
        {"Forwarded": "host=evil.io;proto=https"},
    ],
)
def test_the_link_leads_to_our_frontend_whatever_the_headers_say(
    api: SignIn, alice: User, headers: dict[str, str]
) -> None:
    """Checks 97."""
    answer = ask(api(), headers=headers)
    if answer.status_code == 400:
        assert "Host" in headers
        assert mails() == []
        return
    assert answer.status_code == 200
    link = contents("password_reset")["link"]
    assert link.startswith("https://app.example.com/reset-password#token=")
    assert "evil" not in str(contents("password_reset"))


def test_the_token_cannot_be_guessed_and_stands_nowhere(api: SignIn, alice: User) -> None:
    """Checks 91: a copy of the database opens nothing. The outbox is sealed."""
    link = mailed(api())
    assert len(base64.urlsafe_b64decode(link + "=" * (-len(link) % 4))) * 8 >= 128
    rows = [
        repr(row)
        for model in apps.get_models(include_auto_created=True)
        for row in model._base_manager.values()
    ]
    assert any(ALICE in row for row in rows)
    assert not any(link in row for row in rows)
    assert mailed(api()) != link


@pytest.mark.usefixtures("no_rates")
def test_known_and_unknown_addresses_take_the_same_time(
    api: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks 93: also where the mail server takes two seconds."""
    monkeypatch.setattr(EmailBackend, "send_messages", lambda *_: sleep(2))
    client = api()
    ask(client, "warm@example.com")
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(20):
        UserFactory.create(email=f"known{number}@example.com")
        for name, taken in times.items():
            begun = perf_counter()
            ask(client, f"{name}{number}@example.com")
            taken.append(perf_counter() - begun)
    assert len(mails("password_reset")) == 20
    assert abs(median(times["known"]) - median(times["unknown"])) < 0.025


# --- Following the link ------------------------------------------------------------


def test_a_reset_changes_the_password_and_signs_nobody_in(
    api: SignIn, alice: User
) -> None:
    answer = confirm(api(), mailed(api()))
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert not Session.objects.exists()
    assert login(api(), PASSWORD).status_code == 401
    assert login(api(), NEW).status_code == 200
    assert anew(alice).password.startswith("argon2$")


def test_every_device_is_out_at_once_and_nobody_elses(
    api: SignIn, alice: User, bob: User
) -> None:
    one, two, strangers = api(alice), api(alice), api(bob)
    assert confirm(api(), mailed(api())).status_code == 200
    assert [d.get("/users/me").status_code for d in (one, two, strangers)] == [
        401,
        401,
        200,
    ]
    for device in (one, two):
        spent = {"refresh_token": device.tokens.refresh_token}
        assert device.post("/auth/refresh", spent).status_code == 401
    ended = Session.objects.filter(user=alice).values_list("end_reason", flat=True)
    assert list(ended) == [EndReason.PASSWORD] * 2


def test_the_console_is_out_as_well(api: SignIn, root: User) -> None:
    """Checks 223."""
    browser = Browser(api())
    browser.sign_in(root.email)
    assert browser.is_in
    assert confirm(api(), mailed(api(), root.email)).status_code == 200
    assert not browser.is_in


def test_the_address_is_verified_by_it(api: SignIn, alice: User) -> None:
    assert not alice.email_verified
    confirm(api(), mailed(api()))
    assert anew(alice).email_verified


def test_it_is_told_and_recorded_once(api: SignIn, alice: User) -> None:
    api(alice)
    assert confirm(api(), mailed(api())).status_code == 200
    assert [mail.recipient for mail in mails("password_changed")] == [ALICE]
    for action in ("password.reset_requested", "password.reset", "session.ended"):
        event = Event.objects.get(action=action)
        assert event.outcome == Outcome.SUCCESS
        assert event.address == "198.51.100.7"
    event = Event.objects.get(action="password.reset")
    assert event.actor_id == event.target_id == alice.pk


def test_the_notice_can_be_switched_off(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.NOTICES_OFF = ("password_changed",)
    assert confirm(api(), mailed(api())).status_code == 200
    assert mails("password_changed") == []


@pytest.mark.usefixtures("no_rates")
def test_failed_attempts_are_forgotten(api: SignIn, alice: User) -> None:
    """Checks 99."""
    for _ in range(10):
        assert login(api(), "wrong wrong wrong").status_code == 401
    assert login(api(), PASSWORD).status_code == 429
    assert confirm(api(), mailed(api())).status_code == 200
    assert login(api(), NEW).status_code == 200


# --- How much mail -----------------------------------------------------------------


def test_an_address_asks_three_times_a_minute(api: SignIn, alice: User) -> None:
    for number in range(3):
        assert ask(api(), f"nobody{number}@example.com").status_code == 200
    refused(ask(api()), 429, "too_many_requests")
    assert mails() == []
    assert ask(api(), peer="203.0.113.9").status_code == 200
    assert len(mails()) == 1


def test_nobody_is_mailed_more_than_three_times_a_minute_from_wherever_it_is_asked(
    api: SignIn, alice: User
) -> None:
    """Checks 105; what is not sent does not kill what was."""
    spellings = [ALICE, "ALICE@example.com", "alice@EXAMPLE.com", "Alice@example.com"]
    answers = [
        ask(api(), spelling, peer=f"203.0.113.{number}")
        for number, spelling in enumerate([*spellings, *spellings])
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert len(mails("password_reset")) == 3
    assert confirm(api(), token("password_reset")).status_code == 200
