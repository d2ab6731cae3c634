"""Each call asks the database once who is calling, so every change holds at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import User
from sessions_app import services
from sessions_app.models import EndReason, Session, SessionQuerySet
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import forged, status_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]


def is_in(client: Api) -> bool:
    return client.get("/users/me").status_code == 200


def renew(client: Api) -> tuple[int, str]:
    answer = client.post("/auth/refresh", {"refresh_token": client.tokens.refresh_token})
    return answer.status_code, answer.json()["errors"][0]["code"]


def deactivate_by_profile(root: Api, user: User) -> None:
    assert root.patch(f"/users/{user.pk}", {"is_active": False}).status_code == 200


def delete(root: Api, user: User) -> None:
    assert root.delete(f"/users/{user.pk}").status_code == 200


def end_all(_: Api, user: User) -> None:
    services.end_all_of([user.pk], reason=EndReason.REVOKED, by=None)


def raise_the_epoch(_: Api, user: User) -> None:
    """What a restored backup and one raised epoch come to: the rows look alive."""
    User.objects.filter(pk=user.pk).update(session_epoch=1)


def take_away_the_row(_: Api, user: User) -> None:
    Session.objects.filter(user=user).delete()


def let_the_row_expire(_: Api, user: User) -> None:
    Session.objects.filter(user=user).update(expires_at=datetime.now(UTC))


@pytest.mark.parametrize(
    "shut_out",
    [
        deactivate_by_profile,
        delete,
        end_all,
        raise_the_epoch,
        take_away_the_row,
        let_the_row_expire,
    ],
)
def test_whoever_is_shut_out_is_out_with_the_next_call(
    api: SignIn, alice: User, bob: User, root: User, shut_out: Callable[..., None]
) -> None:
    devices, bobs = [api(alice), api(alice)], api(bob)
    assert all(is_in(device) for device in devices)
    shut_out(api(root), alice)
    for device in devices:
        assert not is_in(device)
        assert renew(device) == (401, "session_ended")
    assert is_in(bobs)


def test_who_comes_back_signs_in_again(api: SignIn, alice: User, root: User) -> None:
    before = api(alice)
    accounts.deactivate_users(user_ids=[alice.pk], by=root)
    accounts.activate_users(user_ids=[alice.pk], by=root)
    assert not is_in(before)
    assert renew(before) == (401, "session_ended")
    assert is_in(api(User.objects.get(pk=alice.pk)))


def test_a_right_is_asked_of_the_database_each_time(
    api: SignIn, alice: User, root: User
) -> None:
    client = api(alice)
    assert client.get("/users").status_code == 403
    accounts.update_rights(user=alice, by=root, is_staff=True, is_superuser=True)
    assert client.get("/users").status_code == 200
    accounts.update_rights(user=alice, by=root, is_staff=False, is_superuser=False)
    assert client.get("/users").status_code == 403


def test_a_claim_gives_no_right(api: SignIn, alice: User) -> None:
    client = api(alice)
    claims = {"is_superuser": True, "role": "owner", "scope": "admin"}
    token = forged(client.tokens.access_token, claims=claims)
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/users", headers=bearer).status_code == 403


ENDPOINTS = [
    ("POST", "/auth/logout"),
    ("POST", "/auth/logout-all"),
    ("GET", "/users/me"),
    ("PATCH", "/users/me"),
    ("PATCH", "/users/me/password"),
    ("GET", "/users"),
    ("GET", "/users/{id}"),
    ("PATCH", "/users/{id}"),
    ("DELETE", "/users/{id}"),
    ("GET", "/sessions/me"),
    ("DELETE", "/sessions/me/expired"),
    ("DELETE", "/sessions/me/others"),
    ("PATCH", "/sessions/{id}"),
    ("DELETE", "/sessions/{id}"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_token_of_an_ended_session_is_401_everywhere(
    api: SignIn, alice: User, method: str, path: str
) -> None:
    client = api(alice)
    client.post("/auth/logout")
    answer = client.call(method, path.format(id=uuid4()), {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["errors"][0]["code"] == "session_ended"


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_no_token_is_401_everywhere(api: SignIn, db: Any, method: str, path: str) -> None:
    answer = api().call(method, path.format(id=uuid4()), {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["code"] == "not_authenticated"


# --- What it costs -----------------------------------------------------------------


def test_a_call_costs_one_statement_that_names_both_ids(api: SignIn, alice: User) -> None:
    client = api(alice)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/users/me")
    assert answer.json()["email"] == alice.email
    [statement] = queries.captured_queries
    assert statement["sql"].startswith("SELECT")
    assert "JOIN" in statement["sql"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30." + "A" * 43])
def test_a_bad_token_costs_no_statement(api: SignIn, alice: User, token: str) -> None:
    client = api(alice)
    forgery = forged(client.tokens.access_token, secret=b"f" * 32)
    for value in (token, forgery):
        with CaptureQueriesContext(connection) as queries:
            assert status_of(client, value) == 401
        assert not queries.captured_queries


def test_two_hundred_calls_write_twice_at_most(api: SignIn, alice: User) -> None:
    """In a hundred seconds of one device. Checks 92."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        clock.shift(timedelta(seconds=59))
        with CaptureQueriesContext(connection) as queries:
            for _ in range(200):
                assert is_in(client)
                clock.shift(timedelta(seconds=0.5))
    written = [q for q in queries.captured_queries if q["sql"].startswith("UPDATE")]
    assert 1 <= len(written) <= 2
    assert len(queries.captured_queries) == 200 + len(written)


@pytest.mark.parametrize(("seconds", "written"), [(59.9, 0), (60, 1), (880, 1)])
def test_last_use_is_noted_once_a_minute(
    api: SignIn, alice: User, seconds: float, written: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        before = client.session.last_used_at
        clock.shift(timedelta(seconds=seconds))
        with CaptureQueriesContext(connection) as queries:
            client.get("/users/me")
            client.get("/users/me")
        used = client.session.last_used_at - before
    assert used == timedelta(seconds=seconds * written)
    assert len(queries.captured_queries) == 2 + written


def test_a_clock_that_steps_back_does_not_move_the_last_use_back(
    api: SignIn, alice: User
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        before = client.session.last_used_at
        clock.shift(timedelta(seconds=-20))
        assert is_in(client)
        assert client.session.last_used_at == before


def test_use_alone_prolongs_nothing(api: SignIn, alice: User) -> None:
    """Only rotation moves the idle end."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        before = client.session.expires_at
        clock.shift(timedelta(minutes=5))
        assert is_in(client)
        assert client.session.expires_at == before


def test_a_reader_reads_where_nothing_can_be_written(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: writes are refused, reads are fine (S14)."""

    def fail(*_: object, **__: object) -> int:
        raise OperationalError("database or disk is full")

    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        clock.shift(timedelta(minutes=2))
        monkeypatch.setattr(SessionQuerySet, "update", fail)
        assert client.get("/users/me").status_code == 200
