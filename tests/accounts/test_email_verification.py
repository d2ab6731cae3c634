"""Showing that an address is one's own: by the mailed link, or by its six digits."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils.crypto import constant_time_compare
from httpx import Response
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import Proof, User
from audit.models import Event
from outbox.models import Mail
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

REGISTER = "/auth/register"
VERIFY = "/auth/email/verify"
RESEND = "/auth/email/resend"
ALICE = "alice@example.com"
DANA = {"email": "dana@example.com", "password": PASSWORD, "first_name": "Dana"}


def verify(client: Api, **body: Any) -> Response:
    return client.post(VERIFY, body)


def resend(client: Api, email: str = ALICE, **kwargs: Any) -> Response:
    return client.post(RESEND, {"email": email}, **kwargs)


def mailed(client: Api, email: str = ALICE) -> tuple[str, str]:
    """Token and code."""
    assert resend(client, email).status_code == 200
    return token("verify_email", to=email), contents("verify_email", to=email)["code"]


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def is_verified(user: User) -> bool:
    return User.objects.get(pk=user.pk).email_verified


def state() -> list[Any]:
    rows = (User, Proof, Mail, Event)
    return [list(model._base_manager.order_by("pk").values()) for model in rows]


# --- Registering -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "status", "kinds"),
    [
        ("off", 201, []),
        ("optional", 201, ["accounts.verify_email"]),
        ("required", 202, ["accounts.verify_email"]),
    ],
)
def test_the_mode_says_what_registering_mails(
    api: SignIn, settings: Settings, mode: str, status: int, kinds: list[str]
) -> None:
    settings.EMAIL_VERIFICATION = mode
    assert api().post(REGISTER, DANA).status_code == status
    dana = User.objects.get(email="dana@example.com")
    assert not dana.email_verified
    assert [mail.kind for mail in mails()] == kinds
    assert {mail.recipient for mail in mails()} <= {dana.email}
    login = api().post("/auth/login", {"email": dana.email, "password": PASSWORD})
    assert login.status_code == (403 if mode == "required" else 200)


def test_optional_is_what_nobody_chose(api: SignIn) -> None:
    answer = api().post(REGISTER, DANA)
    assert (answer.status_code, answer.json()["email_verified"]) == (201, False)
    said = contents("verify_email", to="dana@example.com")
    assert said["link"].startswith("https://app.example.com/verify-email#token=")
    assert re.fullmatch(r"[0-9]{6}", said["code"])
    assert said["code"] not in answer.text
    assert token("verify_email") not in answer.text


def test_a_registration_that_fails_half_way_mails_nothing(
    api: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks 244: nobody is mailed about an account that is not there."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the machine went away")

    monkeypatch.setattr("accounts.mail.queue_mails", fail)
    assert api().post(REGISTER, DANA).status_code == 500
    assert state() == [[], [], [], []]
    monkeypatch.undo()
    assert api().post(REGISTER, DANA).status_code == 201
    assert len(mails()) == 1


# --- Link and code -----------------------------------------------------------------


def test_the_link_verifies_and_is_recorded_once(api: SignIn, alice: User) -> None:
    link, digits = mailed(api())
    answer = verify(api(), token=link)
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert is_verified(alice)
    for again in ({"token": link}, {"email": ALICE, "code": digits}):
        spent = verify(api(), **again)
        refused(spent, 400, "link_invalid")
    event = Event.objects.get(action="email.verified")
    assert event.actor_id == event.target_id == alice.pk


@pytest.mark.parametrize("form", ["{}{}", "{} {}", " {}{} ", " {}  {} "])
@pytest.mark.parametrize("email", [ALICE, "ALICE@Example.com"])
def test_the_code_verifies_however_it_is_typed(
    api: SignIn, alice: User, bob: User, form: str, email: str
) -> None:
    link, digits = mailed(api())
    typed = form.format(digits[:3], digits[3:])
    assert verify(api(), email=email, code=typed).status_code == 200
    assert (is_verified(alice), is_verified(bob)) == (True, False)
    refused(verify(api(), token=link), 400, "link_invalid")
    assert Event.objects.filter(action="email.verified").count() == 1


def test_a_code_is_good_for_its_own_address_alone(
    api: SignIn, alice: User, bob: User
) -> None:
    _, digits = mailed(api())
    resend(api(), bob.email)
    # One in a million draws gives both the same.
    if contents("verify_email", to=bob.email)["code"] == digits:
        resend(api(), bob.email)
    for email in (bob.email, "unknown@example.com"):
        answer = verify(api(), email=email, code=digits)
        refused(answer, 400, "link_invalid")
    assert not User.objects.filter(email_verified=True).exists()


def test_after_five_wrong_codes_the_right_one_is_wrong_too(
    api: SignIn, alice: User
) -> None:
    link, digits = mailed(api())
    for _ in range(5):
        wrong = verify(api(), email=ALICE, code=other(digits))
        refused(wrong, 400, "link_invalid")
    refused(verify(api(), email=ALICE, code=digits), 400, "link_invalid")
    assert not is_verified(alice)
    guesses = Event.objects.filter(action="email.code_refused", outcome="failure")
    assert [event.target_id for event in guesses] == [alice.pk] * 6
    assert verify(api(), token=link).status_code == 200


def test_the_fifth_try_may_be_the_right_one(api: SignIn, alice: User) -> None:
    _, digits = mailed(api())
    for _ in range(4):
        verify(api(), email=ALICE, code=other(digits))
    assert verify(api(), email=ALICE, code=digits).status_code == 200


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize("way", ["token", "code"])
@pytest.mark.parametrize(("age", "status"), [(23, 200), (24, 400)])
def test_link_and_code_last_a_day(
    api: SignIn, alice: User, way: str, age: int, status: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        link, digits = mailed(api())
        clock.shift(timedelta(hours=age))
        body = {"token": link} if way == "token" else {"email": ALICE, "code": digits}
        assert verify(api(), **body).status_code == status
        assert is_verified(alice) is (status == 200)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, {"token"}),
        ({"email": ALICE}, {"code"}),
        ({"code": "123456"}, {"email"}),
        ({"code": "123456", "email": "alice"}, {"email"}),
        ({"code": "", "email": ALICE}, {"code"}),
        ({"code": "1" * 17, "email": ALICE}, {"code"}),
        ({"code": None, "email": ALICE}, {"code"}),
        ({"code": [], "email": {}}, {"code", "email"}),
        ({"token": ""}, {"token"}),
        ({"token": None}, {"token"}),
        ({"token": "", "email": ALICE, "code": "123456"}, {"token"}),
    ],
)
def test_half_a_body_is_told_what_is_missing_and_costs_no_try(
    api: SignIn, alice: User, body: Any, missing: set[str]
) -> None:
    mailed(api())
    before = state()
    answer = refused(api().post(VERIFY, body), 422)
    assert {fault["field"] for fault in answer["errors"]} == missing
    assert state() == before


@pytest.mark.parametrize(
    "digits", ["abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "12345", "0" * 16, "-1"]
)
def test_what_cannot_be_a_code_is_a_wrong_one(
    api: SignIn, alice: User, digits: str
) -> None:
    mailed(api())
    answer = verify(api(), email=ALICE, code=digits)
    refused(answer, 400, "link_invalid")
    assert Proof.objects.get().attempts == 1


def change_the_address(api: SignIn, alice: User) -> None:
    body = {"current_password": PASSWORD, "new_email": "moved@example.com"}
    assert api(alice).post("/users/me/email", body).status_code == 200
    link = {"token": token("confirm_address")}
    assert api().post("/auth/email/confirm", link).status_code == 200


def deactivate(api: SignIn, alice: User) -> None:
    services.deactivate_users(user_ids=[alice.pk], by=None)


@pytest.mark.parametrize("change", [change_the_address, deactivate])
def test_link_and_code_die_with_the_address_or_the_account(
    api: SignIn, alice: User, change: Callable[[SignIn, User], None]
) -> None:
    link, digits = mailed(api())
    change(api, alice)
    before = state()
    refused(verify(api(), token=link), 400, "link_invalid")
    assert state() == before
    for email in (ALICE, "moved@example.com"):
        refused(verify(api(), email=email, code=digits), 400, "link_invalid")
    assert not Event.objects.filter(action="email.verified").exists()


# --- At once -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_fifty_guesses_at_once_get_five_tries(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted before it is compared, or each of them could be the lucky one."""
    services.resend_verification(email=ALICE)
    digits = contents("verify_email")["code"]
    tried: list[bool] = []

    def noted(one: str, another: str) -> bool:
        tried.append(constant_time_compare(one, another))
        return tried[-1]

    monkeypatch.setattr("accounts.proofs.constant_time_compare", noted)
    guess = partial(services.verify_email, email=ALICE, code=other(digits))
    assert at_once([guess] * 50) == ["link_invalid"] * 50
    assert tried == [False] * 5
    right = partial(services.verify_email, email=ALICE, code=digits)
    assert at_once([right]) == ["link_invalid"]
    assert not is_verified(alice)


@pytest.mark.django_db(transaction=True)
def test_link_and_code_at_once_verify_once(alice: User) -> None:
    services.resend_verification(email=ALICE)
    link, digits = token("verify_email"), contents("verify_email")["code"]
    by_link = partial(services.verify_email, token=link)
    by_code = partial(services.verify_email, email=ALICE, code=digits)
    outcomes = at_once([by_link, by_code] * 2)
    assert sorted(map(str, outcomes)) == ["None"] + ["link_invalid"] * 3
    assert Event.objects.filter(action="email.verified").count() == 1
