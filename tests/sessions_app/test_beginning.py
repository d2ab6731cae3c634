"""What a sign-in leaves: one row, no token that could be read from it, room for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.apps import apps
from django.core.management import call_command
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import User
from audit.models import Event
from sessions_app import services
from sessions_app.errors import SessionEnded
from sessions_app.models import EndReason, Session
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.sessions_app.forge import claims_of

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 24, 12, 0, 0, 750_000, tzinfo=UTC)
FOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"


def login(client: Api, user: User, **kwargs: object) -> dict[str, str]:
    body = {"email": user.email, "password": PASSWORD}
    answer = client.post("/auth/login", body, **kwargs)
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.usefixtures("own_clock")
def test_a_sign_in_writes_one_row_that_says_who_from_where_and_until_when(
    api: SignIn, alice: User
) -> None:
    with time_machine.travel(START, tick=False):
        token = login(api(), alice, headers={"User-Agent": FOX, "X-Device-Id": "d-1"})
    session = Session.objects.get()
    whole = START.replace(microsecond=0)
    assert claims_of(token["refresh_token"])["sid"] == str(session.pk)
    assert (session.user_id, session.ip_address) == (alice.pk, "198.51.100.7")
    assert (session.user_agent, session.device_id) == (FOX, "d-1")
    assert session.created_at == session.last_used_at == START
    assert session.expires_at == whole + timedelta(days=7)
    assert session.absolute_expires_at == whole + timedelta(days=30)
    assert (session.rotations, session.ended_at, session.end_reason) == (0, None, "")


@pytest.mark.usefixtures("own_clock")
def test_a_token_ends_no_later_than_its_session(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.REFRESH_TOKEN_LIFETIME = timedelta(days=7)
    settings.SESSION_ABSOLUTE_LIFETIME = timedelta(days=3)
    token = login(api(), alice)["refresh_token"]
    session = Session.objects.get()
    assert session.expires_at == session.absolute_expires_at
    assert claims_of(token)["exp"] == int(session.expires_at.timestamp())


def test_a_sign_in_is_recorded_with_address_and_agent(api: SignIn, alice: User) -> None:
    login(api(), alice, headers={"User-Agent": FOX})
    session, event = Session.objects.get(), Event.objects.get(action="session.started")
    assert (event.actor_id, event.target_id) == (alice.pk, session.pk)
    assert (event.address, event.agent) == ("198.51.100.7", FOX)
    assert (event.session_id, event.outcome) == (session.pk, "success")


def test_nothing_stored_can_be_presented(api: SignIn, alice: User) -> None:
    """A dump of the whole database, with every id of a token looked for. Checks 91."""
    client = api()
    pairs = [login(client, alice)]
    body = {"refresh_token": pairs[0]["refresh_token"]}
    pairs.append(client.post("/auth/refresh", body).json())
    dump = repr([list(model._default_manager.values()) for model in apps.get_models()])
    assert str(alice.pk) in dump
    for pair in pairs:
        for token in (pair["access_token"], pair["refresh_token"]):
            assert claims_of(token)["jti"] not in dump
            assert not [part for part in token.split(".")[1:] if part in dump]


def test_no_token_is_logged(
    api: SignIn,
    alice: User,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        client = api()
        token = login(client, alice)
        body = {"refresh_token": token["refresh_token"]}
        client.post("/auth/refresh", body)
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        client.post("/auth/logout", body, headers=bearer)
        client.post("/auth/refresh", body)
    assert "session.ended" in caplog.text
    for secret in (token["access_token"], token["refresh_token"], PASSWORD):
        assert secret not in caplog.text
        assert secret.rpartition(".")[2] not in caplog.text


# --- How many ----------------------------------------------------------------------


def is_in(client: Api) -> bool:
    return client.get("/users/me").status_code == 200


def can_refresh(client: Api) -> bool:
    body = {"refresh_token": client.tokens.refresh_token}
    return client.post("/auth/refresh", body).status_code == 200


def test_twenty_devices_are_the_most_and_the_oldest_goes(
    api: SignIn, alice: User, bob: User
) -> None:
    bobs = api(bob)
    devices = [api(alice) for _ in range(21)]
    assert [is_in(device) for device in devices] == [False] + [True] * 20
    assert not can_refresh(devices[0])
    event = Event.objects.get(action="session.ended")
    assert (event.actor_id, event.data) == (alice.pk, {"reason": "surplus"})
    assert is_in(bobs)


def test_ended_and_expired_devices_take_no_place(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.SESSIONS_PER_USER = 2
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(alice)
    first, gone = api(alice), api(alice)
    gone.post("/auth/logout")
    assert all([is_in(first), is_in(api(alice))])
    assert not Session.objects.filter(end_reason=EndReason.SURPLUS)


def test_a_smaller_number_holds_from_the_next_sign_in(
    api: SignIn, alice: User, settings: Settings
) -> None:
    devices = [api(alice) for _ in range(5)]
    settings.SESSIONS_PER_USER = 2
    devices.append(api(alice))
    assert [is_in(device) for device in devices] == [False] * 4 + [True] * 2


def test_one_place_goes_to_the_device_that_came_last(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.SESSIONS_PER_USER = 1
    devices = [api(alice) for _ in range(3)]
    assert [is_in(device) for device in devices] == [False, False, True]


@pytest.mark.parametrize("number", [1, 2])
def test_the_session_just_begun_is_never_the_surplus(
    api: SignIn, alice: User, settings: Settings, number: int
) -> None:
    """The others were begun where the clock is ahead, so that their ids are later."""
    settings.SESSIONS_PER_USER = number
    for _ in range(number):
        api(alice)
    for session in list(Session.objects.all()):
        ahead = UUID(int=session.pk.int + (30_000 << 80))
        Session.objects.filter(pk=session.pk).update(id=ahead)
    client = api(alice)
    assert is_in(client)
    assert can_refresh(client)
    assert Session.objects.active().count() == number


# --- A sign-in that something overtakes --------------------------------------------


def end_by_new_password(user: User) -> None:
    accounts.change_password(
        user=user,
        current_password=PASSWORD,
        new_password="walnut harbour sixteen lamps",
        keep=Session.objects.earliest("pk").pk,
    )


def end_others(user: User) -> None:
    keep = Session.objects.earliest("pk").pk
    services.end_all_of([user.pk], reason=EndReason.REVOKED, by=user, keep=keep)


def end_all(user: User) -> None:
    services.end_all_of([user.pk], reason=EndReason.LOGOUT_ALL, by=user)


def end_everything(_: User) -> None:
    call_command("end_all_sessions")


def deactivate(user: User) -> None:
    accounts.deactivate_users(user_ids=[user.pk], by=None)


def deactivate_and_back(user: User) -> None:
    deactivate(user)
    accounts.activate_users(user_ids=[user.pk], by=None)


def delete(user: User) -> None:
    accounts.deactivate_users(user_ids=[user.pk], by=None, delete=True)


@pytest.mark.parametrize(
    "overtake",
    [
        end_by_new_password,
        end_others,
        end_all,
        end_everything,
        deactivate,
        deactivate_and_back,
        delete,
    ],
)
def test_a_sign_in_that_is_overtaken_is_dead_on_arrival(
    api: SignIn, alice: User, overtake: Callable[[User], None]
) -> None:
    """The password was right, and then something ended all that was issued for it."""
    api(alice)
    checked = accounts.verify_credentials(email=alice.email, password=PASSWORD)
    overtake(User.objects.get(pk=alice.pk))
    with pytest.raises(SessionEnded):
        services.start_session(user=checked)
    assert Session.objects.count() == 1
    assert Event.objects.filter(action="session.started").count() == 1


def test_a_sign_in_of_somebody_inactive_is_refused(alice: User) -> None:
    """Also where whatever made them so has ended nothing."""
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(SessionEnded):
        services.start_session(user=alice)
    assert not Session.objects.exists()


def test_a_sign_in_of_nobody_is_refused(alice: User) -> None:
    with pytest.raises(SessionEnded):
        services.start_session(user=User(pk=uuid4(), email="nobody@example.com"))
    assert not Session.objects.exists()
