"""Refresh: single use, forgiving of a lost answer, deadly to a thief."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from sessions_app.models import EndReason, Session
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import claims_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]

START = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def alices(clock: time_machine.Traveller, api: SignIn, alice: User) -> Api:
    return api(alice)


def refresh(client: Api, token: str) -> tuple[int, str]:
    """The status, and the new refresh token or the code of the refusal."""
    answer = client.post("/auth/refresh", {"refresh_token": token})
    body = answer.json()
    if answer.status_code == 200:
        return 200, str(body["refresh_token"])
    return answer.status_code, str(body["errors"][0]["code"])


def renewed(client: Api, token: str) -> str:
    status, successor = refresh(client, token)
    assert status == 200, successor
    return successor


def test_lifetimes_are_those_of_the_contract(alices: Api) -> None:
    access = claims_of(alices.tokens.access_token)
    assert access["exp"] - access["iat"] == 900
    token = claims_of(alices.tokens.refresh_token)
    assert token["exp"] - token["iat"] == 7 * 86_400
    later = claims_of(renewed(alices, alices.tokens.refresh_token))
    assert later["exp"] - later["iat"] == 7 * 86_400


def test_a_refresh_keeps_the_session_and_spends_the_token(alices: Api) -> None:
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    assert second != first
    assert claims_of(second)["sid"] == claims_of(first)["sid"]
    session = Session.objects.get()
    assert session.rotations == 1
    assert renewed(alices, second) not in {first, second}


def test_the_answer_carries_the_user_and_a_working_access_token(alices: Api) -> None:
    body = {"refresh_token": alices.tokens.refresh_token}
    answer = alices.post("/auth/refresh", body)
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()
    assert (token["token_type"], token["expires_in"]) == ("bearer", 900)
    assert token["user"]["email"] == "alice@example.com"
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert alices.get("/users/me", headers=bearer).json() == token["user"]


@pytest.mark.parametrize("seconds", [0, 1, 9, 9.9])
def test_a_lost_answer_comes_again_byte_for_byte(
    alices: Api, clock: time_machine.Traveller, seconds: float
) -> None:
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    clock.shift(timedelta(seconds=seconds))
    assert renewed(alices, first) == second
    assert Session.objects.get().rotations == 1


def test_after_the_grace_it_is_theft(
    api: SignIn, alice: User, alices: Api, clock: time_machine.Traveller
) -> None:
    other = api(alice)
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    clock.shift(timedelta(seconds=10.1))
    assert refresh(alices, first) == (401, "refresh_token_reused")
    assert refresh(alices, second) == (401, "session_ended")
    assert alices.get("/users/me").status_code == 401
    assert other.get("/users/me").status_code == 200
    stolen = Session.objects.exclude(ended_at=None).get()
    assert stolen.end_reason == EndReason.REUSE
    event = Event.objects.get(action="session.refresh_reuse")
    assert (event.target_id, event.outcome) == (stolen.pk, "denied")
    assert event.address == "198.51.100.7"
    assert event.agent.startswith("python-httpx")


def test_the_grace_does_not_slide(alices: Api, clock: time_machine.Traveller) -> None:
    first = alices.tokens.refresh_token
    renewed(alices, first)
    for _ in range(2):
        clock.shift(timedelta(seconds=4.9))
        renewed(alices, first)
    clock.shift(timedelta(seconds=0.3))
    assert refresh(alices, first) == (401, "refresh_token_reused")


def test_only_the_immediate_predecessor_is_forgiven(alices: Api) -> None:
    first = alices.tokens.refresh_token
    renewed(alices, renewed(alices, first))
    assert refresh(alices, first) == (401, "refresh_token_reused")


def test_each_rotation_has_a_grace_of_its_own(
    alices: Api, clock: time_machine.Traveller
) -> None:
    second = renewed(alices, alices.tokens.refresh_token)
    clock.shift(timedelta(minutes=5))
    third = renewed(alices, second)
    clock.shift(timedelta(seconds=9))
    assert renewed(alices, second) == third


def test_the_grace_does_not_outlive_the_session(alices: Api) -> None:
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    body = {"refresh_token": second}
    assert alices.post("/auth/logout", body).status_code == 200
    assert refresh(alices, first) == (401, "session_ended")


def test_a_clock_that_steps_back_ends_no_session(
    alices: Api, clock: time_machine.Traveller
) -> None:
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    clock.shift(timedelta(seconds=-20))
    assert renewed(alices, first) == second


def test_another_signing_key_within_the_grace_changes_nothing(
    alices: Api, settings: Settings
) -> None:
    old = "an-old-key-of-more-than-thirty-two-bytes"
    new = "a-new-key-of-more-than-thirty-two-bytes!"
    settings.JWT_SIGNING_KEYS = [old]
    first = alices.post("/auth/login", LOGIN).json()["refresh_token"]
    second = renewed(alices, first)
    settings.JWT_SIGNING_KEYS = [new, old]
    assert renewed(alices, first) == second
    third = renewed(alices, second)
    settings.JWT_SIGNING_KEYS = [new]
    assert refresh(alices, second) == (401, "token_invalid")
    assert refresh(alices, third)[0] == 200


LOGIN = {"email": "alice@example.com", "password": "correct horse battery staple"}


def test_an_unused_token_dies_after_seven_days(
    alices: Api, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(days=7, seconds=31))
    assert refresh(alices, alices.tokens.refresh_token) == (401, "token_invalid")
    assert Session.objects.active().count() == 0


def test_no_refresh_leads_past_the_absolute_end(
    alices: Api, clock: time_machine.Traveller
) -> None:
    token = alices.tokens.refresh_token
    for _ in range(29):
        clock.shift(timedelta(days=1))
        token = renewed(alices, token)
    session = Session.objects.get()
    assert session.expires_at == session.absolute_expires_at
    assert claims_of(token)["exp"] == int(session.absolute_expires_at.timestamp())
    clock.shift(timedelta(days=1, seconds=-1))
    token = renewed(alices, token)
    clock.shift(timedelta(seconds=2))
    assert refresh(alices, token) == (401, "session_ended")


@pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refresh_token": None}])
def test_a_token_must_be_there(alices: Api, body: dict[str, str | None]) -> None:
    answer = alices.post("/auth/refresh", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "refresh_token"


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.é.é", "." * 4096, "A" * 4097])
def test_rubbish_is_no_token(alices: Api, token: str) -> None:
    status = alices.post("/auth/refresh", {"refresh_token": token}).status_code
    assert status == (422 if len(token) > 4096 else 401)


def test_a_session_is_refreshed_thirty_times_a_minute_at_most(alices: Api) -> None:
    token = alices.tokens.refresh_token
    for _ in range(30):
        token = renewed(alices, token)
    answer = alices.post("/auth/refresh", {"refresh_token": token})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert Session.objects.get().rotations == 30


def test_a_person_who_was_shut_out_gets_nothing(alices: Api, root: User) -> None:
    User.objects.filter(pk=alices.tokens.user.pk).update(is_active=False)
    assert refresh(alices, alices.tokens.refresh_token) == (401, "session_ended")
