"""What people are told of unasked: each can be switched off, none by accident."""

from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import services
from accounts.management.commands import changepassword
from accounts.models import User
from audit.models import Event
from outbox.models import Mail, MailQuerySet
from sessions_app.models import EndReason, Session
from sessions_app.places import Place
from sessions_app.services import purge_sessions, rotate_session, start_session
from tests.accounts.console import CONFIRMED, Browser
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.environments import DEVELOPMENT, faults_of, run, settings_of
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

NOTICES = ["account_deleted", "address_changed", "new_device"]
NOTICES += ["password_changed", "refresh_reused"]
NEW = "plum otter canvas meadow"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HOME, AWAY = "203.0.113.9", "192.0.2.44"


def sign_in(
    api: SignIn, peer: str = HOME, agent: str = FIREFOX, device: str = "", **body: str
) -> httpx.Response:
    login = {"email": "alice@example.com", "password": PASSWORD} | body
    headers = {"User-Agent": agent} | ({"X-Device-Id": device} if device else {})
    return api().post("/auth/login", login, peer=peer, headers=headers)


def refresh(client: Api, refresh_token: str, **kwargs: Any) -> httpx.Response:
    return client.post("/auth/refresh", {"refresh_token": refresh_token}, **kwargs)


def disown(api: SignIn, notice: str) -> httpx.Response:
    """By the link that the notice came with."""
    page = "https://app.example.com/secure-account#token="
    assert contents(notice)["link"].startswith(page)
    return api().post("/auth/disown", {"token": token(notice)})


# --- New device --------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        ((HOME, FIREFOX), (HOME, FIREFOX), False),
        ((HOME, FIREFOX), (AWAY, FIREFOX), True),
        ((HOME, FIREFOX), (HOME, "curl/8.5"), True),
        ((HOME, FIREFOX), (HOME, FIREFOX, "phone"), True),
        ((HOME, FIREFOX, "phone"), (AWAY, "curl/8.5", "phone"), False),
        ((HOME, FIREFOX, "phone"), (HOME, FIREFOX, "tablet"), True),
        ((HOME, FIREFOX, "phone"), (HOME, FIREFOX), False),
    ],
)
@pytest.mark.parametrize("ended", [False, True])
def test_a_sign_in_is_told_if_its_device_was_never_seen(
    api: SignIn, alice: User, case: tuple[Any, Any, bool], ended: bool
) -> None:
    first, second, told = case
    assert sign_in(api, *first).status_code == 200
    assert mails() == []
    if ended:
        Session.objects.update(ended_at=timezone.now(), end_reason=EndReason.LOGOUT)
    assert sign_in(api, *second).status_code == 200
    assert len(mails("new_device", to=alice.email)) == len(mails()) == told


def test_a_place_is_known_by_a_sign_in_there_and_not_by_a_refresh(
    api: SignIn, alice: User
) -> None:
    body = sign_in(api).json()
    assert refresh(api(), body["refresh_token"], peer=AWAY).status_code == 200
    sign_in(api)
    assert mails() == []
    sign_in(api, AWAY)
    assert len(mails("new_device")) == 1


@pytest.mark.usefixtures("own_clock")
def test_somebody_away_for_long_is_told_of_the_return(api: SignIn, alice: User) -> None:
    """No session is kept of then, but the events know."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        sign_in(api)
        clock.shift(timedelta(days=90))
        assert purge_sessions() == 1
        sign_in(api)
    assert len(mails("new_device")) == 1


def test_the_notice_says_what_and_where_and_its_link_shuts_the_thief_out(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(api)
    place = Place("Turin", "Italy")
    monkeypatch.setattr("sessions_app.services.beginnings.locate", lambda _: place)
    bearer = {"Authorization": f"Bearer {sign_in(api, AWAY).json()['access_token']}"}
    told = contents("new_device")
    assert told["device"] == "Firefox on Linux"
    assert (told["address"], told["place"]) == (AWAY, "Turin, Italy")
    assert api().get("/users/me", headers=bearer).status_code == 200
    assert disown(api, "new_device").status_code == 200
    assert api().get("/users/me", headers=bearer).status_code == 401
    assert sign_in(api).status_code == 401
    assert len(mails("password_reset", to=alice.email)) == 1
    assert disown(api, "new_device").status_code == 400


def test_a_sign_in_that_cannot_be_told_does_not_happen(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    sign_in(api)
    before = list(Session.objects.values()), Event.objects.count()
    monkeypatch.setattr(MailQuerySet, "bulk_create", fail)
    answer = sign_in(api, AWAY)
    assert answer.status_code == 503
    assert "token" not in answer.text
    assert (list(Session.objects.values()), Event.objects.count()) == before
    monkeypatch.undo()
    assert sign_in(api, AWAY).status_code == 200
    assert len(mails("new_device")) == 1


@pytest.mark.parametrize("refusal", ["password", "inactive", "deleted", "unverified"])
def test_a_refused_sign_in_is_not_told(
    api: SignIn, alice: User, settings: Settings, refusal: str
) -> None:
    people = User.objects.filter(pk=alice.pk)
    sign_in(api)
    if refusal == "unverified":
        settings.EMAIL_VERIFICATION = "required"
    if refusal in {"inactive", "deleted"}:
        people.update(is_active=False)
    if refusal == "deleted":
        people.update(deleted_at=timezone.now())
    wrong = {"password": "wrong wrong wrong"} if refusal == "password" else {}
    assert sign_in(api, AWAY, **wrong).status_code in {401, 403}
    assert mails() == []
    people.update(is_active=True, deleted_at=None, email_verified=True)
    assert sign_in(api, AWAY).status_code == 200
    assert len(mails("new_device")) == 1


# --- Passwords, tokens, accounts ---------------------------------------------------


def test_whoever_changes_a_password_is_told_with_a_way_back(
    api: SignIn, alice: User
) -> None:
    change = {"current_password": PASSWORD, "new_password": NEW}
    client = api(alice)
    headers = {"User-Agent": FIREFOX}
    wrong = change | {"current_password": "wrong wrong wrong"}
    assert client.patch("/users/me/password", wrong).status_code == 403
    assert mails() == []
    answer = client.patch("/users/me/password", change, headers=headers, peer=AWAY)
    assert answer.status_code == 200
    told = contents("password_changed", to=alice.email)
    assert (told["address"], told["device"]) == (AWAY, "Firefox on Linux")
    assert disown(api, "password_changed").status_code == 200
    assert client.get("/users/me").status_code == 401
    assert sign_in(api, password=NEW).status_code == 401


def test_a_password_set_by_an_operator_is_told(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changepassword, "getpass", lambda _: "short")
    with pytest.raises(CommandError):
        call_command("changepassword", alice.email)
    assert mails() == []
    monkeypatch.setattr(changepassword, "getpass", lambda _: NEW)
    call_command("changepassword", alice.email)
    assert len(mails("password_changed", to=alice.email)) == len(mails()) == 1
    assert disown(api, "password_changed").status_code == 200


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("seconds", "stolen"), [(9.9, False), (10.1, True)])
def test_a_stolen_session_is_told_once_and_a_repeat_is_not(
    api: SignIn, alice: User, seconds: float, stolen: bool
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client = api(alice)
        first = client.tokens.refresh_token
        assert refresh(client, first).status_code == 200
        clock.shift(timedelta(seconds=seconds))
        statuses = [refresh(client, first, peer=AWAY).status_code for _ in range(3)]
    assert statuses == [401 if stolen else 200] * 3
    assert len(mails("refresh_reused", to=alice.email)) == len(mails()) == stolen
    if stolen:
        assert disown(api, "refresh_reused").status_code == 200
        assert sign_in(api).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_thieves_at_once_are_told_as_one(alice: User, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    first = start_session(user=alice).refresh_token
    second = rotate_session(refresh_token=first).refresh_token
    rotate_session(refresh_token=second)
    outcomes = at_once([partial(rotate_session, refresh_token=first)] * 20)
    assert outcomes.count("refresh_token_reused") >= 1
    assert set(outcomes) <= {"refresh_token_reused", "session_ended"}
    assert len(mails("refresh_reused", to=alice.email)) == len(mails()) == 1


@pytest.mark.parametrize("way", ["API", "console"])
def test_whom_a_superuser_deletes_is_told(
    api: SignIn, alice: User, bob: User, root: User, way: str
) -> None:
    if way == "API":
        client = api(root)
        assert client.patch(f"/users/{bob.pk}", {"is_active": False}).status_code == 200
        assert client.delete(f"/users/{alice.pk}").status_code == 200
        assert client.delete(f"/users/{alice.pk}").status_code == 404
    else:
        browser = Browser(api())
        browser.sign_in(root.email)
        for action, user in (("deactivate", bob), ("delete_softly", alice)):
            form = {"action": action, "_selected_action": [str(user.pk)]}
            browser.post("/admin/accounts/user/", form | CONFIRMED)
    assert not User.objects.get(pk=bob.pk).is_active
    assert User.objects.get(pk=alice.pk).deleted_at
    assert [mail.recipient for mail in mails("account_deleted")] == [alice.email]
    assert "final" not in contents("account_deleted")


def test_telling_many_costs_no_more_than_telling_one(root: User) -> None:
    costs = []
    for number in (1, 25):
        ids = [user.pk for user in UserFactory.create_batch(number)]
        with CaptureQueriesContext(connection) as queries:
            assert not services.deactivate_users(user_ids=ids, by=root, delete=True)
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert len(mails("account_deleted")) == 26


# --- Switched off ------------------------------------------------------------------


@pytest.mark.parametrize("off", [[], *([notice] for notice in NOTICES), list(NOTICES)])
def test_each_notice_can_be_switched_off_and_nothing_else_with_it(
    api: SignIn, alice: User, root: User, settings: Settings, off: list[str]
) -> None:
    settings.NOTICES_OFF = off
    sign_in(api)
    sign_in(api, AWAY)
    client = api(alice)
    first = client.tokens.refresh_token
    refresh(client, refresh(client, first).json()["refresh_token"])
    assert refresh(client, first).status_code == 401
    client = api(alice)
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert client.patch("/users/me/password", change).status_code == 200
    move = {"current_password": NEW, "new_email": "new@example.com"}
    assert client.post("/users/me/email", move).status_code == 200
    link = {"token": token("confirm_address")}
    assert client.post("/auth/email/confirm", link).status_code == 200
    assert api(root).delete(f"/users/{alice.pk}").status_code == 200
    kinds = sorted(Mail.objects.values_list("kind", flat=True))
    kept = {*NOTICES, "confirm_address"} - set(off)
    assert kinds == sorted(f"accounts.{notice}" for notice in kept)


def test_a_notice_that_does_not_exist_cannot_be_switched_off() -> None:
    """A slip of the pen must not leave the operator believing that it is off."""
    environment = DEVELOPMENT | {"NOTICES_OFF": "new_device,new_divice"}
    [fault] = faults_of(environment)
    assert "NOTICES_OFF" in fault
    assert "new_divice" not in fault
    started = run("manage.py", "check", environment=environment)
    assert started.returncode != 0
    assert "NOTICES_OFF" in started.stderr
    good = DEVELOPMENT | {"NOTICES_OFF": ",".join(NOTICES)}
    assert settings_of(good)["NOTICES_OFF"] == NOTICES
