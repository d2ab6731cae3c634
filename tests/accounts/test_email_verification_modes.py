"""Sending it again, and what is different where addresses must be verified."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Proof, User
from audit.models import Event, Outcome
from sessions_app.models import Session
from tests.accounts.console import Browser
from tests.accounts.test_email_verification import (
    ALICE,
    DANA,
    REGISTER,
    mailed,
    resend,
    state,
    verify,
)
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

LOGIN = {"email": ALICE, "password": PASSWORD}


@pytest.fixture
def required(settings: Settings) -> None:
    settings.EMAIL_VERIFICATION = "required"


def same(answer: Any) -> tuple[int, Any]:
    """All that could tell two answers apart, but for the request id."""
    return answer.status_code, answer.json() | {"instance": ""}


# --- Once more ---------------------------------------------------------------------


def test_a_newer_mail_kills_link_and_code_of_the_older(api: SignIn, alice: User) -> None:
    old_link, old_code = mailed(api())
    new_link, new_code = mailed(api())
    if old_code == new_code:  # once in a million draws
        new_link, new_code = mailed(api())
    refused(verify(api(), token=old_link), 400, "link_invalid")
    refused(verify(api(), email=ALICE, code=old_code), 400, "link_invalid")
    assert verify(api(), email=ALICE, code=new_code).status_code == 200
    refused(verify(api(), token=new_link), 400, "link_invalid")


def test_a_newer_mail_gives_five_tries_of_its_own(api: SignIn, alice: User) -> None:
    mailed(api())
    for _ in range(5):
        verify(api(), email=ALICE, code="none")
    _, digits = mailed(api())
    assert verify(api(), email=ALICE, code=digits).status_code == 200


@pytest.mark.usefixtures("no_rates")
def test_nobody_learns_who_waits_for_a_mail(api: SignIn, alice: User) -> None:
    UserFactory.create(email="verified@example.com", email_verified=True)
    UserFactory.create(email="inactive@example.com", is_active=False)
    now = timezone.now()
    UserFactory.create(email="deleted@example.com", is_active=False, deleted_at=now)
    names = ("alice", "unknown", "verified", "inactive", "deleted")
    answers = [resend(api(), f"{name}@example.com") for name in names]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    [mail] = mails()
    assert (mail.kind, mail.recipient) == ("accounts.verify_email", ALICE)
    assert Proof.objects.count() == 1
    told = Event.objects.filter(action="email.verification_requested").order_by("pk")
    assert [event.outcome for event in told] == [Outcome.SUCCESS] + 4 * [Outcome.FAILURE]
    assert [event.target_id for event in told] == [alice.pk] + 4 * [None]


def test_nobody_is_mailed_beyond_three_a_minute_and_the_last_one_still_works(
    api: SignIn, alice: User
) -> None:
    for number in range(6):
        assert resend(api(), peer=f"203.0.113.{number}").status_code == 200
    assert len(mails("verify_email")) == 3
    assert verify(api(), token=token("verify_email")).status_code == 200


@pytest.mark.usefixtures("own_clock")
def test_nobody_is_mailed_beyond_five_an_hour(api: SignIn, alice: User) -> None:
    """Each mail gives five tries at a code: this is what bounds the guessing."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(8):
            assert resend(api()).status_code == 200
            clock.shift(timedelta(minutes=3))
        assert len(mails("verify_email")) == 5


# --- Registering, where it is required ---------------------------------------------


@pytest.mark.usefixtures("required", "no_rates")
def test_nobody_learns_which_addresses_are_registered(api: SignIn, alice: User) -> None:
    """Checks 13."""
    User.objects.filter(pk=alice.pk).update(email_verified=True)
    device = api(alice)
    before = state()[0], list(Session.objects.values())
    new = api().post(REGISTER, DANA)
    spellings = [ALICE, "ALICE@example.com", "Alice@EXAMPLE.com"]
    known = [api().post(REGISTER, DANA | {"email": spelling}) for spelling in spellings]
    again = api().post(REGISTER, DANA)
    assert {same_bytes.content for same_bytes in [*known, again]} == {new.content}
    assert {answer.status_code for answer in [new, *known, again]} == {202}
    assert set(new.json()) == {"success", "message"}

    others = User.objects.exclude(email=DANA["email"])
    assert (list(others.values()), list(Session.objects.values())) == before
    assert User.objects.filter(email=DANA["email"]).count() == 1
    assert [mail.kind for mail in mails(to=ALICE)] == ["accounts.account_exists"] * 3
    assert not Proof.objects.filter(user=alice).exists()
    page = "https://app.example.com/forgot-password"
    assert contents("account_exists")["link"] == page
    assert [mail.kind for mail in mails(to=DANA["email"])] == [
        "accounts.verify_email",
        "accounts.account_exists",
    ]
    assert device.get("/users/me").status_code == 200
    assert Event.objects.filter(action="user.registered").count() == 1


@pytest.mark.usefixtures("required", "no_rates")
def test_what_the_stranger_typed_is_not_in_the_mail_to_the_owner(
    api: SignIn, alice: User
) -> None:
    body = {"email": ALICE, "first_name": "Buy at evil.io"}
    api().post(REGISTER, body | {"password": "plum otter canvas meadow"})
    assert "evil" not in str(contents("account_exists"))
    assert contents("account_exists")["name"] == "Alice"


@pytest.mark.usefixtures("required", "no_rates")
@pytest.mark.parametrize("gone", ["inactive", "deleted"])
def test_whoever_is_shut_out_is_not_written_to(api: SignIn, gone: str) -> None:
    deleted_at = timezone.now() if gone == "deleted" else None
    UserFactory.create(email=DANA["email"], is_active=False, deleted_at=deleted_at)
    unknown = api().post(REGISTER, DANA | {"email": "new@example.com"})
    assert same(api().post(REGISTER, DANA)) == same(unknown)
    assert mails(to=DANA["email"]) == []
    assert User.objects.count() == 2


@pytest.mark.usefixtures("required", "no_rates")
def test_an_owner_is_not_flooded(api: SignIn, alice: User) -> None:
    for number in range(6):
        answer = api().post(REGISTER, DANA | {"email": ALICE}, peer=f"203.0.113.{number}")
        assert answer.status_code == 202
    assert len(mails("account_exists")) == 3


@pytest.mark.usefixtures("required", "no_rates")
@pytest.mark.parametrize(
    "fault", [{"email": "dana"}, {"password": "short"}, {"first_name": ""}]
)
def test_a_bad_form_is_refused_the_same_for_known_and_new(
    api: SignIn, alice: User, fault: dict[str, str]
) -> None:
    answers = [api().post(REGISTER, DANA | known | fault) for known in ({}, LOGIN)]
    for answer in answers:
        assert {entry["field"] for entry in refused(answer, 422)["errors"]} == set(fault)
    assert (User.objects.count(), mails()) == (1, [])


# --- Signing in, where it is required ----------------------------------------------


def form(client: Api, **login: str) -> Any:
    data = {"username": login["email"], "password": login["password"]}
    return client.call("POST", "/auth/login/oauth", data=data)


def body(client: Api, **login: str) -> Any:
    return client.post("/auth/login", login)


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("sign_in", [form, body])
def test_only_the_right_password_is_told_to_verify_first(
    api: SignIn, alice: User, sign_in: Any
) -> None:
    """Checks 22."""
    refused(sign_in(api(), **LOGIN), 403, "email_not_verified")
    wrong = sign_in(api(), **LOGIN | {"password": "wrong wrong wrong"})
    refused(wrong, 401, "invalid_credentials")
    unknown = sign_in(api(), **LOGIN | {"email": "unknown@example.com"})
    assert same(wrong) == same(unknown)
    assert not Session.objects.exists()
    denied = Event.objects.filter(action="sign_in.failed", outcome=Outcome.DENIED)
    assert denied.get().target_id == alice.pk

    link, _ = mailed(api())
    assert verify(api(), token=link).status_code == 200
    assert sign_in(api(), **LOGIN).status_code == 200


@pytest.mark.usefixtures("required", "no_rates")
def test_the_right_password_is_no_failed_attempt(api: SignIn, alice: User) -> None:
    for _ in range(12):
        refused(body(api(), **LOGIN), 403, "email_not_verified")


@pytest.mark.parametrize("mode", ["off", "optional"])
def test_elsewhere_nobody_has_to_be_verified(
    api: SignIn, alice: User, settings: Settings, mode: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    assert body(api(), **LOGIN).status_code == 200


@pytest.mark.usefixtures("required")
def test_the_console_asks_for_it_as_well(api: SignIn) -> None:
    staff = make_superuser(email="staff@example.com")
    browser = Browser(api())
    browser.sign_in(staff.email)
    assert not browser.is_in
    User.objects.filter(pk=staff.pk).update(email_verified=True)
    browser.sign_in(staff.email)
    assert browser.is_in


@pytest.mark.usefixtures("required")
def test_superusers_made_by_an_operator_are_verified(
    api: SignIn, settings: Settings
) -> None:
    settings.FIRST_SUPERUSER_EMAIL = "first@example.com"
    settings.FIRST_SUPERUSER_PASSWORD = PASSWORD
    call_command("ensure_superuser", verbosity=0)
    User.objects.create_superuser("second@example.com", PASSWORD, first_name="B")
    for name in ("first", "second"):
        login = {"email": f"{name}@example.com", "password": PASSWORD}
        answer = body(api(), **login)
        assert answer.status_code == 200
        assert answer.json()["user"]["email_verified"] is True
    plain = User.objects.create_user("third@example.com", PASSWORD, first_name="C")
    assert not plain.email_verified
