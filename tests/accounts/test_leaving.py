"""Leaving of one's own will, and coming back before it is too late."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import departures, services
from accounts.errors import LastOwner, LastSuperuser
from accounts.models import Proof, User
from audit.models import Event
from config.errors import DomainError, PermissionDenied
from outbox.models import Mail, MailQuerySet
from sessions_app.models import EndReason, Session
from tests.accounts.console import Browser
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, make_superuser
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

NEW = "plum otter canvas meadow"
WRONG = "wrong wrong wrong"
LOGIN = {"email": "alice@example.com", "password": PASSWORD}


def leave(client: Api, password: str = PASSWORD) -> httpx.Response:
    return client.delete("/users/me", json={"current_password": password})


def leaving_since(user: User) -> Any:
    return User.objects.get(pk=user.pk).leaving_since


def happened(action: str) -> int:
    return Event.objects.filter(action=action).count()


def state() -> list[Any]:
    models = (User, Session, Event, Mail, Proof)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def stays(user: User) -> bool:
    """All of a return is there, or nothing of it."""
    back = leaving_since(user) is None
    assert happened("user.returned") == len(mails("welcome_back", to=user.email)) == back
    return back


@pytest.fixture
def leaver(api: SignIn, alice: User) -> User:
    """Staff without rights: at home in the console as well."""
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert leave(api(alice)).status_code == 200
    assert leaving_since(alice)
    return User.objects.get(pk=alice.pk)


# --- Going -------------------------------------------------------------------------


def test_whoever_leaves_is_out_everywhere_at_once_and_told(
    api: SignIn, alice: User, bob: User
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    here, there, strangers, console = api(alice), api(alice), api(bob), Browser(api())
    console.sign_in(alice.email)
    assert console.is_in
    started = timezone.now()
    answer = leave(here)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json().keys() == {"success", "message"}
    assert "14 days" in answer.json()["message"]
    for client in (here, there):
        assert client.get("/users/me").status_code == 401
        spent = {"refresh_token": client.tokens.refresh_token}
        assert client.post("/auth/refresh", spent).status_code == 401
    assert not console.is_in
    assert strangers.get("/users/me").status_code == 200
    assert set(alice.sessions.values_list("end_reason", flat=True)) == {EndReason.LEFT}
    event = Event.objects.get(action="user.leaving")
    assert (event.actor_id, event.target_id) == (alice.pk, alice.pk)
    assert mails() == mails("leaving_started", to=alice.email)
    told = contents("leaving_started")
    assert told["link"].startswith("https://app.example.com/keep-account#token=")
    until = datetime.fromisoformat(told["until"])
    assert timedelta() <= until - timedelta(days=14) - started < timedelta(minutes=1)


@pytest.mark.parametrize(
    "body", [None, {}, {"password": PASSWORD}, {"current_password": "x" * 129}]
)
def test_leaving_needs_the_password_and_is_limited(
    api: SignIn, alice: User, body: Any
) -> None:
    client = api(alice)
    answers = [client.delete("/users/me", json=body) for _ in range(6)]
    assert fields(answers[0]) == ["current_password"]
    refused(answers[5], 429, "too_many_requests")
    refused(leave(api()), 401)
    assert (leaving_since(alice), mails()) == (None, [])


@pytest.mark.usefixtures("no_rates")
def test_wrong_passwords_keep_the_account_and_count_as_failed_sign_ins(
    api: SignIn, alice: User
) -> None:
    client = api(alice)
    for _ in range(10):
        refused(leave(client, WRONG), 403, "wrong_password")
    refused(leave(client), 429, "too_many_attempts")
    refused(api().post("/auth/login", LOGIN), 429, "too_many_attempts")
    assert (leaving_since(alice), mails(), happened("user.leaving")) == (None, [], 0)
    assert client.get("/users/me").status_code == 200


def test_a_guard_of_a_higher_app_keeps_its_last_owner(
    api: SignIn, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [{"id": str(uuid4()), "name": "Acme"}]

    def guard(leaving: Sequence[UUID]) -> dict[UUID, DomainError]:
        return {pk: LastOwner(organizations=named) for pk in leaving if pk == alice.pk}

    monkeypatch.setattr(departures, "guards", [*departures.guards, guard])
    client = api(alice)
    before = state()
    body = refused(leave(client), 409, "last_owner")
    assert body["organizations"] == named
    assert state() == before
    assert client.get("/users/me").status_code == 200
    assert leave(api(bob)).status_code == 200


def failing(*_: Any, **__: Any) -> None:
    raise OperationalError


@pytest.mark.parametrize("change", ["leave", "stay", "login", "console"])
def test_without_its_mail_nothing_is_done(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Checks 244."""
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    client = api(alice)
    assert change == "leave" or leave(client).is_success
    link = {"token": token("leaving_started") if change == "stay" else ""}
    call: Callable[[], httpx.Response] = {
        "leave": lambda: leave(client),
        "stay": lambda: api().post("/auth/stay", link),
        "login": lambda: api().post("/auth/login", LOGIN),
        "console": lambda: Browser(api()).sign_in(alice.email),
    }[change]
    before = state()
    monkeypatch.setattr(MailQuerySet, "bulk_create", failing)
    assert call().status_code >= 500
    assert state() == before
    monkeypatch.undo()
    assert (call().status_code in {200, 302}, state() != before) == (True, True)


# --- Coming back -------------------------------------------------------------------


@pytest.mark.parametrize("door", ["login", "oauth", "console"])
def test_the_right_password_brings_the_account_back(
    api: SignIn, leaver: User, door: str
) -> None:
    def enter(password: str) -> int:
        if door == "console":
            return Browser(api()).sign_in(leaver.email, password).status_code
        form = {"username": leaver.email, "password": password}
        if door == "oauth":
            return api().post("/auth/login/oauth", data=form).status_code
        return api().post("/auth/login", LOGIN | {"password": password}).status_code

    link = {"token": token("leaving_started")}
    assert enter(WRONG) in {200, 401}
    assert not stays(leaver)
    assert enter(PASSWORD) in {200, 302}
    assert stays(leaver)
    event = Event.objects.get(action="user.returned")
    assert (event.actor_id, event.target_id) == (leaver.pk, leaver.pk)
    enter(PASSWORD)
    assert stays(leaver)
    refused(api().post("/auth/stay", link), 400, "link_invalid")


def test_nobody_else_takes_the_address_or_brings_it_back(
    api: SignIn, leaver: User
) -> None:
    body = {"email": "ALICE@example.com", "password": NEW, "first_name": "A"}
    refused(api().post("/auth/register", body), 400, "registration_refused")
    # The console knows staff only, whatever the password.
    User.objects.filter(pk=leaver.pk).update(is_staff=False)
    Browser(api()).sign_in(leaver.email)
    assert not stays(leaver)


def test_the_link_brings_the_account_back_once(api: SignIn, leaver: User) -> None:
    link = {"token": token("leaving_started")}
    assert api().get(f"/auth/stay?token={link['token']}").status_code == 405
    refused(api().post("/auth/stay", {"token": "x" * 43}), 400, "link_invalid")
    refused(api().post("/auth/disown", link), 400, "link_invalid")
    assert not stays(leaver)
    answer = api().post("/auth/stay", link)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert stays(leaver)
    refused(api().post("/auth/stay", link), 400, "link_invalid")
    assert leave(api(User.objects.get(pk=leaver.pk))).status_code == 200
    refused(api().post("/auth/stay", link), 400, "link_invalid")
    link = {"token": token("leaving_started")}
    assert api().post("/auth/stay", link).status_code == 200


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("days", "status"), [(13.99, 200), (14, 400)])
def test_the_link_is_good_for_the_days_of_grace(
    api: SignIn, alice: User, days: float, status: int
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        leave(api(alice))
        link = {"token": token("leaving_started")}
        clock.shift(timedelta(days=days))
        assert api().post("/auth/stay", link).status_code == status
    assert stays(alice) is (status == 200)


def test_a_leaving_person_who_forgot_the_password_can_reset_it_and_return(
    api: SignIn, leaver: User
) -> None:
    asked = {"email": leaver.email}
    assert api().post("/auth/password-reset/request", asked).status_code == 200
    reset = {"token": token("password_reset"), "new_password": NEW}
    assert api().post("/auth/password-reset/confirm", reset).status_code == 200
    assert api().post("/auth/login", LOGIN).status_code == 401
    assert api().post("/auth/login", LOGIN | {"password": NEW}).status_code == 200
    assert stays(leaver)


def test_whoever_did_not_leave_disowns_it_and_is_back(api: SignIn, alice: User) -> None:
    """A thief signs in and leaves in the owner's name."""
    api().post("/auth/login", LOGIN)
    body = api().post("/auth/login", LOGIN, peer="192.0.2.44").json()
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    leaving = {"current_password": PASSWORD}
    assert api().delete("/users/me", json=leaving, headers=bearer).status_code == 200
    link = {"token": token("new_device")}
    assert api().post("/auth/disown", link).status_code == 200
    assert stays(alice)
    assert api().post("/auth/login", LOGIN).status_code == 401
    assert len(mails("password_reset", to=alice.email)) == 1


def test_who_is_leaving_counts_no_longer_as_a_superuser(
    api: SignIn, root: User, alice: User
) -> None:
    second = make_superuser(email="second@example.com")
    assert leave(api(second)).status_code == 200
    client = api(root)
    refused(leave(client), 409, "last_superuser")
    assert len(mails("leaving_started")) == 1
    for delete in (False, True):
        found = services.deactivate_users(user_ids=[root.pk], by=None, delete=delete)
        assert isinstance(found[root.pk], LastSuperuser)
        with pytest.raises(PermissionDenied):
            services.deactivate_users(user_ids=[root.pk], by=second, delete=delete)
    with pytest.raises(PermissionDenied):
        services.update_rights(user=root, by=second, is_staff=True, is_superuser=False)
    assert User.objects.get(pk=root.pk).is_in_charge
    login = {"email": second.email, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200
    assert leave(client).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_superusers_who_leave_at_one_instant_one_stays(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    for _ in range(4):
        User.objects.all().delete()
        Mail.objects.all().delete()
        people = [make_superuser() for _ in range(3)]
        go = partial(services.leave, current_password=PASSWORD)
        outcomes = at_once([partial(go, user=user) for user in people])
        assert sorted(map(str, outcomes)) == ["None", "None", "last_superuser"]
        assert User.objects.active_superusers().count() == 1
        assert len(mails("leaving_started")) == 2
