"""Signing out, seeing devices, and ending them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.core.management import call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import User
from audit.models import Event
from sessions_app import lookup, services
from sessions_app.errors import SessionEnded
from sessions_app.models import EndReason, Session
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def is_in(client: Api) -> bool:
    return client.get("/users/me").status_code == 200


def can_refresh(client: Api) -> bool:
    body = {"refresh_token": client.tokens.refresh_token}
    return client.post("/auth/refresh", body).status_code == 200


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_token_that_is_not_given_may_also_be_null(
    api: SignIn, alice: User, nothing: str | None
) -> None:
    client = api(alice)
    assert client.post("/auth/logout", {"refresh_token": nothing}).status_code == 200
    assert not is_in(client)


@pytest.mark.parametrize("with_token", [True, False])
def test_logout_ends_access_and_refresh_at_once(
    api: SignIn, alice: User, with_token: bool
) -> None:
    client, other = api(alice), api(alice)
    body = {"refresh_token": client.tokens.refresh_token} if with_token else {}
    assert client.post("/auth/logout", body).json()["success"] is True
    assert not is_in(client)
    assert not can_refresh(client)
    assert is_in(other)
    assert client.post("/auth/logout", body).status_code == 401
    ended = Event.objects.get(action="session.ended")
    assert (ended.actor_id, ended.data) == (alice.pk, {"reason": "logout"})


def test_logout_needs_no_body(api: SignIn, alice: User) -> None:
    client = api(alice)
    assert client.post("/auth/logout").status_code == 200
    assert not is_in(client)


def test_logout_can_name_another_device_of_ones_own(api: SignIn, alice: User) -> None:
    here, there = api(alice), api(alice)
    body = {"refresh_token": there.tokens.refresh_token}
    for _ in range(2):
        assert here.post("/auth/logout", body).status_code == 200
    assert is_in(here)
    assert not is_in(there)


def test_logout_of_somebody_else_is_refused(api: SignIn, alice: User, bob: User) -> None:
    theirs = api(bob)
    body = {"refresh_token": theirs.tokens.refresh_token}
    answer = api(alice).post("/auth/logout", body)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "foreign_session"
    assert is_in(theirs)


def test_logout_with_an_expired_refresh_token_is_no_fault(
    api: SignIn, alice: User
) -> None:
    past = api(alice).tokens.refresh_token
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        here = api(alice)
        answer = here.post("/auth/logout", {"refresh_token": past})
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c"])
def test_logout_with_rubbish_is_a_bad_token(api: SignIn, alice: User, token: str) -> None:
    client = api(alice)
    answer = client.post("/auth/logout", {"refresh_token": token})
    assert answer.status_code == 401
    assert is_in(client)


def test_logout_all_ends_every_device_and_nobody_elses(
    api: SignIn, alice: User, bob: User
) -> None:
    devices = [api(alice) for _ in range(3)]
    bobs = api(bob)
    answer = devices[0].post("/auth/logout-all")
    assert answer.json()["message"] == "3 sessions ended."
    assert not any(is_in(device) or can_refresh(device) for device in devices)
    assert is_in(bobs)


def test_ones_devices_are_listed_newest_use_first(
    api: SignIn, alice: User, bob: User
) -> None:
    api(bob)
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        older = api(alice)
    here = api(alice)
    listed = here.get("/sessions/me").json()
    assert listed["total"] == 2
    assert [row["id"] for row in listed["sessions"]] == [
        str(here.session.pk),
        str(Session.objects.filter(user=older.tokens.user).earliest("pk").pk),
    ]
    assert [row["is_current"] for row in listed["sessions"]] == [True, False]


def test_a_device_says_what_is_known_of_it(api: SignIn, alice: User) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
    headers = {"User-Agent": agent, "X-Device-Id": "d-1"}
    body = {"email": alice.email, "password": PASSWORD}
    token = api().post("/auth/login", body, headers=headers).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    (row,) = api().get("/sessions/me", headers=bearer).json()["sessions"]
    assert row["device_name"] == "Firefox on Linux"
    assert (row["device_id"], row["ip_address"]) == ("d-1", "198.51.100.7")
    assert (row["location_city"], row["location_country"]) == (None, None)
    assert row["created_at"].endswith("Z")


@pytest.mark.parametrize("header", ["x" * 256, "a\x7f", "a\tb"])
def test_a_device_id_has_bounds(api: SignIn, alice: User, header: str) -> None:
    body = {"email": alice.email, "password": PASSWORD}
    answer = api().post("/auth/login", body, headers={"X-Device-Id": header})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "X-Device-Id"
    assert not Session.objects.exists()


def test_one_device_id_makes_no_one_session(api: SignIn, alice: User, bob: User) -> None:
    for user in (alice, alice, bob):
        body = {"email": user.email, "password": PASSWORD}
        api().post("/auth/login", body, headers={"X-Device-Id": "same"})
    assert Session.objects.active().filter(device_id="same").count() == 3


def test_ending_one_device_leaves_the_others(api: SignIn, alice: User) -> None:
    here, there = api(alice), api(alice)
    path = f"/sessions/{there.session.pk}"
    assert here.delete(path).status_code == 200
    assert not is_in(there)
    assert is_in(here)
    assert here.delete(path).status_code == 200
    assert Event.objects.filter(action="session.ended").count() == 1


def test_sessions_of_others_and_of_nobody(api: SignIn, alice: User, bob: User) -> None:
    theirs, mine = api(bob), api(alice)
    foreign = f"/sessions/{theirs.session.pk}"
    assert mine.delete(foreign).status_code == 403
    assert mine.patch(foreign, {"device_name": "x"}).status_code == 403
    for path in (f"/sessions/{uuid4()}", "/sessions/abc", "/sessions/" + "1" * 36):
        assert mine.delete(path).status_code == 404
    assert is_in(theirs)


def test_ending_the_others_keeps_this_one(api: SignIn, alice: User) -> None:
    here, there = api(alice), api(alice)
    answer = here.delete("/sessions/me/others")
    assert answer.json()["message"] == "1 other sessions ended."
    assert is_in(here)
    assert can_refresh(here)
    assert not is_in(there)


def test_past_sessions_are_taken_off_the_books(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(alice)
    here, ended = api(alice), api(alice)
    ended.post("/auth/logout")
    assert here.delete("/sessions/me/expired").json()["message"].startswith("2 ")
    assert Session.objects.count() == 1


def test_a_device_can_be_given_a_name(api: SignIn, alice: User) -> None:
    client = api(alice)
    path = f"/sessions/{client.session.pk}"
    answer = client.patch(path, {"device_name": "  Küchen-iPad 🍳 "})
    assert answer.json()["device_name"] == "Küchen-iPad 🍳"
    assert answer.json()["is_current"] is True
    assert client.session.device_name == "Küchen-iPad 🍳"


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\nb", None, 5.5, [], {}])
def test_not_every_name_will_do(api: SignIn, alice: User, name: object) -> None:
    client = api(alice)
    answer = client.patch(f"/sessions/{client.session.pk}", {"device_name": name})
    assert answer.status_code == (200 if name == 5.5 else 422)


def test_an_ended_session_is_not_renamed(api: SignIn, alice: User) -> None:
    here, ended = api(alice), api(alice)
    pk = Session.objects.filter(user=alice).latest("pk").pk
    ended.post("/auth/logout")
    assert here.patch(f"/sessions/{pk}", {"device_name": "x"}).status_code == 404


def test_the_twenty_first_sign_in_ends_the_oldest(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.SESSIONS_PER_USER = 3
    devices = [api(alice) for _ in range(4)]
    assert [is_in(device) for device in devices] == [False, True, True, True]
    surplus = Session.objects.exclude(ended_at=None).get()
    assert surplus.end_reason == EndReason.SURPLUS


def test_a_sign_in_overtaken_by_a_logout_everywhere_is_refused(alice: User) -> None:
    checked = User.objects.get(pk=alice.pk)
    services.end_all_of([alice.pk], reason=EndReason.LOGOUT_ALL, by=alice)
    with pytest.raises(SessionEnded):
        services.start_session(user=checked)
    assert not Session.objects.exists()


def test_a_sign_in_overtaken_by_a_deactivation_is_refused(
    alice: User, root: User
) -> None:
    checked = User.objects.get(pk=alice.pk)
    accounts.deactivate_users(user_ids=[alice.pk], by=root)
    accounts.activate_users(user_ids=[alice.pk], by=root)
    with pytest.raises(SessionEnded):
        services.start_session(user=checked)


def test_without_a_row_there_is_no_token(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError

    monkeypatch.setattr(lookup, "insert_and_ask", fail)
    body = {"email": alice.email, "password": PASSWORD}
    answer = api().post("/auth/login", body)
    assert answer.status_code == 503
    assert "token" not in answer.text


def test_last_use_is_written_once_a_minute(
    api: SignIn, alice: User, django_assert_max_num_queries: object
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        seen = set()
        for _ in range(200):
            client.get("/users/me")
            clock.shift(timedelta(seconds=0.5))
            seen.add(Session.objects.get().last_used_at)
    assert len(seen) == 2


def test_a_call_costs_one_statement(
    api: SignIn, alice: User, django_assert_num_queries: object
) -> None:
    client = api(alice)
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture
        client.get("/users/me")


def test_purging_leaves_the_living(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(alice)
    living = api(alice)
    for _ in range(2):
        call_command("purge_sessions")
    assert Session.objects.get().pk == living.session.pk


def test_an_operator_can_end_everything(
    api: SignIn, alice: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = [api(alice), api(bob)]
    call_command("end_all_sessions")
    assert capsys.readouterr().out == "Ended 2 sessions.\n"
    assert not any(is_in(client) or can_refresh(client) for client in clients)
