"""A refresh token that was used before: its end is remembered before it is told."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection

from accounts.models import User
from audit import services as audit
from audit.models import Event
from sessions_app import services
from sessions_app.errors import RefreshTokenReused
from sessions_app.models import EndReason, Session, SessionQuerySet
from tests.client import Api
from tests.conftest import SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]

START = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def alices(clock: time_machine.Traveller, api: SignIn, alice: User) -> Api:
    return api(alice)


def refresh(client: Api, token: str, **kwargs: Any) -> tuple[int, str]:
    """The status, and the new refresh token or the code of the refusal."""
    answer = client.post("/auth/refresh", {"refresh_token": token}, **kwargs)
    body = answer.json()
    if answer.status_code == 200:
        return 200, str(body["refresh_token"])
    return answer.status_code, str(body["errors"][0]["code"])


def renewed(client: Api, token: str) -> str:
    status, successor = refresh(client, token)
    assert status == 200, successor
    return successor


REUSED = (401, "refresh_token_reused")


@pytest.mark.parametrize("age", [1, 2, 3])
def test_any_older_token_is_a_theft_also_inside_the_grace(alices: Api, age: int) -> None:
    chain = [alices.tokens.refresh_token]
    for _ in range(age + 1):
        chain.append(renewed(alices, chain[-1]))
    assert refresh(alices, chain[0]) == REUSED
    for token in chain:
        assert refresh(alices, token) == (401, "session_ended")
    assert alices.get("/users/me").status_code == 401


def test_a_theft_ends_one_device_and_only_once(
    api: SignIn, alice: User, alices: Api
) -> None:
    other = api(alice)
    first = alices.tokens.refresh_token
    renewed(alices, renewed(alices, first))
    headers = {"User-Agent": "thief/1.0"}
    assert refresh(alices, first, peer="203.0.113.66", headers=headers) == REUSED
    assert refresh(alices, first)[1] == "session_ended"
    assert other.get("/users/me").status_code == 200
    event = Event.objects.get(action="session.refresh_reuse")
    ended = Event.objects.get(action="session.ended")
    assert (event.address, event.agent) == ("203.0.113.66", "thief/1.0")
    assert event.target_id == ended.target_id != other.session.pk
    assert ended.data == {"reason": "reuse"}


def test_whoever_is_robbed_signs_in_again(api: SignIn, alice: User, alices: Api) -> None:
    first = alices.tokens.refresh_token
    renewed(alices, renewed(alices, first))
    assert refresh(alices, first) == REUSED
    anew = api(alice)
    assert anew.get("/users/me").status_code == 200
    assert renewed(anew, anew.tokens.refresh_token)


@pytest.mark.parametrize(("seconds", "forgiven"), [(9.9, True), (10.1, False)])
def test_the_grace_counts_from_the_stored_rotation(
    alices: Api, clock: time_machine.Traveller, seconds: float, forgiven: bool
) -> None:
    """Not from the whole second that stands in the token as `iat`."""
    clock.shift(timedelta(seconds=0.7))
    second = renewed(alices, alices.tokens.refresh_token)
    clock.shift(timedelta(seconds=seconds))
    answer = refresh(alices, alices.tokens.refresh_token)
    assert answer == ((200, second) if forgiven else REUSED)


def test_a_repeated_answer_brings_a_working_access_token(
    alices: Api, clock: time_machine.Traveller
) -> None:
    body = {"refresh_token": alices.tokens.refresh_token}
    pairs = []
    for _ in range(3):
        pairs.append(alices.post("/auth/refresh", body).json())
        clock.shift(timedelta(seconds=3))
    assert len({pair["refresh_token"] for pair in pairs}) == 1
    for pair in pairs:
        assert pair["expires_in"] == 900
        bearer = {"Authorization": f"Bearer {pair['access_token']}"}
        assert alices.get("/users/me", headers=bearer).status_code == 200


def test_a_repeated_answer_moves_nothing(
    alices: Api, clock: time_machine.Traveller
) -> None:
    renewed(alices, alices.tokens.refresh_token)
    before = Session.objects.values().get()
    clock.shift(timedelta(seconds=5))
    renewed(alices, alices.tokens.refresh_token)
    assert Session.objects.values().get() == before


def test_the_successor_is_spent_while_its_predecessor_is_in_the_grace(
    alices: Api, clock: time_machine.Traveller
) -> None:
    first = alices.tokens.refresh_token
    second = renewed(alices, first)
    clock.shift(timedelta(seconds=5))
    third = renewed(alices, second)
    clock.shift(timedelta(seconds=9))
    assert renewed(alices, second) == third
    assert refresh(alices, first) == REUSED


def test_the_grace_ends_with_the_absolute_end(
    alices: Api, clock: time_machine.Traveller
) -> None:
    """And whoever comes a moment too late is no thief."""
    session = Session.objects.get()
    end = session.created_at.replace(microsecond=0) + timedelta(seconds=900)
    Session.objects.update(absolute_expires_at=end, expires_at=end)
    clock.move_to(end - timedelta(seconds=3))
    second = renewed(alices, alices.tokens.refresh_token)
    clock.shift(timedelta(seconds=2))
    assert renewed(alices, alices.tokens.refresh_token) == second
    clock.shift(timedelta(seconds=2))
    for token in (alices.tokens.refresh_token, second):
        assert refresh(alices, token) == (401, "session_ended")
    assert not Event.objects.filter(action="session.refresh_reuse").exists()


@pytest.mark.parametrize("seconds", [-25, -3])
def test_a_clock_that_steps_back_repeats_the_same_bytes(
    alices: Api, clock: time_machine.Traveller, seconds: int
) -> None:
    second = renewed(alices, alices.tokens.refresh_token)
    clock.shift(timedelta(seconds=seconds))
    assert renewed(alices, alices.tokens.refresh_token) == second
    third = renewed(alices, second)
    assert renewed(alices, second) == third
    assert Session.objects.get().is_active


@pytest.mark.parametrize("hours", [2, -2])
def test_a_clock_two_hours_off_ends_no_session(
    api: SignIn, alice: User, alices: Api, clock: time_machine.Traveller, hours: int
) -> None:
    """S15: forwards a refresh mends it, backwards a sign-in, and then time does."""
    token = alices.tokens.refresh_token
    clock.shift(timedelta(hours=hours))
    assert alices.get("/users/me").status_code == 401
    assert refresh(alices, token)[0] == (200 if hours > 0 else 401)
    assert api(alice).get("/users/me").status_code == 200
    clock.shift(timedelta(hours=-hours))
    assert Session.objects.active().count() == 2
    assert not Event.objects.filter(action="session.ended").exists()


# --- Committed, then refused -------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_theft_is_committed_before_it_is_refused(alice: User) -> None:
    """Another connection sees it: nothing is left to be rolled back."""
    first = services.start_session(user=alice).refresh_token
    second = services.rotate_session(refresh_token=first).refresh_token
    services.rotate_session(refresh_token=second)
    with pytest.raises(RefreshTokenReused):
        services.rotate_session(refresh_token=first)
    with ThreadPoolExecutor(1) as elsewhere:
        seen = elsewhere.submit(what_others_see).result()
    assert seen == [EndReason.REUSE, "session.ended", "session.refresh_reuse"]


def what_others_see() -> list[str]:
    try:
        reason = Session.objects.get().end_reason
        actions = Event.objects.exclude(action="session.started").order_by("id")
        return [reason, *actions.values_list("action", flat=True)]
    finally:
        connection.close()


@pytest.mark.parametrize("failing", ["session.ended", "session.refresh_reuse"])
def test_end_and_events_of_a_theft_are_one_change(
    alices: Api, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Where an event cannot be written, the next attempt ends and records it."""
    first = alices.tokens.refresh_token
    renewed(alices, renewed(alices, first))
    write = audit._add

    def fail(events: Sequence[Event]) -> None:
        if failing in {event.action for event in events}:
            raise OperationalError
        write(events)

    with monkeypatch.context() as fault:
        fault.setattr(audit, "_add", fail)
        assert refresh(alices, first) == (503, "unavailable")
    assert Session.objects.get().ended_at is None
    assert refresh(alices, first) == REUSED
    for action in ("session.ended", "session.refresh_reuse"):
        assert Event.objects.filter(action=action).count() == 1


def test_a_rotation_that_fails_leaves_the_token_unspent(
    alices: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError

    first = alices.tokens.refresh_token
    with monkeypatch.context() as fault:
        fault.setattr(SessionQuerySet, "update", fail)
        answer = alices.post("/auth/refresh", {"refresh_token": first})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    assert Session.objects.get().rotations == 0
    assert renewed(alices, first)
