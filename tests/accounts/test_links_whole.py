"""Each call by mail happens as a whole or not at all, and "this was not me"."""

from functools import partial
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import User
from audit.models import Event
from sessions_app.models import EndReason, Session
from sessions_app.services import start_session
from tests.accounts.test_links import (
    LINKS,
    LOGIN,
    NEW,
    OLD,
    PROVEN,
    Mailing,
    disown,
    follow,
    state,
    stay,
)
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import mails, token

pytestmark = pytest.mark.django_db

DISOWN, STAY = "/auth/disown", "/auth/stay"
RECORD, QUEUE = "audit.services.record_each", "accounts.mail.queue_mails"


def fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("the machine went away")


@pytest.mark.parametrize(
    ("path", "mailing", "step"),
    [(path, mailing, RECORD) for path, mailing, *_ in LINKS]
    + [(p, mailing, QUEUE) for p, mailing, *_ in LINKS if p != "/auth/email/verify"],
)
def test_following_a_link_changes_all_or_nothing(
    api: SignIn,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    mailing: Mailing,
    step: str,
) -> None:
    """Checks 216, 244: the event and the mail are in the transaction of the change."""
    link = mailing(api(), api(alice))
    before = state()
    monkeypatch.setattr(step, fail)
    refused(follow(api(), path, link), 500, "internal_error")
    assert state() == before
    monkeypatch.undo()
    assert follow(api(), path, link).status_code == 200
    assert state() != before


ASK, AGAIN, MOVE = "/auth/password-reset/request", "/auth/email/resend", "/users/me/email"


@pytest.mark.parametrize(
    ("path", "step"),
    [(path, step) for path in (ASK, AGAIN, MOVE) for step in (QUEUE, RECORD)],
)
def test_asking_for_a_mail_writes_all_or_nothing(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch, path: str, step: str
) -> None:
    body = {"email": OLD, "new_email": NEW} | PROVEN
    device = api(alice)
    before = state()
    monkeypatch.setattr(step, fail)
    refused(device.post(path, body), 500, "internal_error")
    assert state() == before
    monkeypatch.undo()
    assert device.post(path, body).status_code == 200
    assert len(mails()) == 1


# --- "This was not me" -------------------------------------------------------------


def test_disowning_shuts_everybody_out_and_mails_a_way_in(
    api: SignIn, alice: User, bob: User
) -> None:
    device, strangers = api(alice), api(bob)
    pair = api().post("/auth/login", LOGIN, headers={"User-Agent": "another"}).json()
    assert follow(api(), DISOWN, token("new_device")).status_code == 200

    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    assert api().get("/users/me", headers=bearer).status_code == 401
    spent = {"refresh_token": pair["refresh_token"]}
    assert api().post("/auth/refresh", spent).status_code == 401
    assert device.get("/users/me").status_code == 401
    assert strangers.get("/users/me").status_code == 200
    ended = Session.objects.filter(user=alice).values_list("end_reason", flat=True)
    assert list(ended) == [EndReason.DISOWNED] * 2

    assert not User.objects.get(pk=alice.pk).has_usable_password()
    assert api().post("/auth/login", LOGIN).status_code == 401
    assert [mail.recipient for mail in mails("password_reset")] == [OLD]
    event = Event.objects.get(action="account.disowned")
    assert event.actor_id == event.target_id == alice.pk

    new = {"token": token("password_reset"), "new_password": "plum otter canvas meadow"}
    assert api().post("/auth/password-reset/confirm", new).status_code == 200
    login = LOGIN | {"password": new["new_password"]}
    assert api().post("/auth/login", login).status_code == 200


def change_password(_: Api, device: Api) -> str:
    body = PROVEN | {"new_password": "lantern gravel oyster tundra"}
    assert device.patch("/users/me/password", body).status_code == 200
    return token("password_changed")


def test_a_change_of_password_is_disowned_as_well(api: SignIn, alice: User) -> None:
    """The thief changed it: his device, which went on, is out, and so is his password."""
    thief = api(alice)
    link = change_password(api(), thief)
    assert thief.get("/users/me").status_code == 200
    assert follow(api(), DISOWN, link).status_code == 200
    assert thief.get("/users/me").status_code == 401
    login = LOGIN | {"password": "lantern gravel oyster tundra"}
    assert api().post("/auth/login", login).status_code == 401


def test_disowning_takes_back_the_leaving_of_a_thief(api: SignIn, alice: User) -> None:
    thief = api(alice)
    link = disown(api(), thief)
    stay(api(), thief)
    assert follow(api(), DISOWN, link).status_code == 200
    assert User.objects.get(pk=alice.pk).leaving_since is None
    assert Event.objects.filter(action="user.returned").count() == 1


def test_a_disowning_follows_no_account_to_another_address(
    api: SignIn, alice: User
) -> None:
    """Or whoever reads the old address could shut out the owner of the new one."""
    device = api(alice)
    link = disown(api(), device)
    device.post("/users/me/email", PROVEN | {"new_email": NEW})
    api().post("/auth/email/confirm", {"token": token("confirm_address")})
    refused(follow(api(), DISOWN, link), 400, "link_invalid")
    assert device.get("/users/me").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_link_followed_ten_times_at_once_disowns_once(
    alice: User, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    start_session(user=alice)
    services.sign_in(email=OLD, password=PASSWORD, device_id="another")
    deed = partial(services.disown, token=token("new_device"))
    outcomes = at_once([deed] * 10)
    assert sorted(map(str, outcomes)) == ["None"] + ["link_invalid"] * 9
    assert Event.objects.filter(action="account.disowned").count() == 1
    assert len(mails("password_reset")) == 1


# --- Staying -----------------------------------------------------------------------


def test_the_link_to_stay_takes_the_leaving_back(api: SignIn, alice: User) -> None:
    link = stay(api(), api(alice))
    assert User.objects.get(pk=alice.pk).leaving_since
    assert follow(api(), STAY, link).status_code == 200
    assert User.objects.get(pk=alice.pk).leaving_since is None
    assert [mail.recipient for mail in mails("welcome_back")] == [OLD]
    event = Event.objects.get(action="user.returned")
    assert event.actor_id == event.target_id == alice.pk
    assert not Session.objects.active().exists()
    assert api().post("/auth/login", LOGIN).status_code == 200


def test_the_link_to_stay_is_of_one_leaving_alone(api: SignIn, alice: User) -> None:
    link = stay(api(), api(alice))
    assert api().post("/auth/login", LOGIN).status_code == 200
    refused(follow(api(), STAY, link), 400, "link_invalid")
    newer = stay(api(), api(User.objects.get(pk=alice.pk)))
    refused(follow(api(), STAY, link), 400, "link_invalid")
    assert User.objects.get(pk=alice.pk).leaving_since
    assert follow(api(), STAY, newer).status_code == 200
