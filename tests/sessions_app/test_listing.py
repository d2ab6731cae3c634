"""The devices that a person sees, and what can be done with one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Event
from sessions_app.models import Session
from tests.client import Api
from tests.conftest import SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]

FIELDS = {
    "id",
    "device_name",
    "device_id",
    "ip_address",
    "location_city",
    "location_country",
    "last_used_at",
    "created_at",
    "expires_at",
    "is_current",
}


def listed(client: Api) -> list[dict[str, Any]]:
    answer = client.get("/sessions/me")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"sessions", "total"}
    assert body["total"] == len(body["sessions"])
    return list(body["sessions"])


def test_a_session_has_the_fields_of_the_contract_in_its_types(
    api: SignIn, alice: User
) -> None:
    client = api(alice)
    [row] = listed(client)
    assert set(row) == FIELDS
    assert UUID(row["id"]) == client.session.pk
    assert UUID(row["id"]).version == 7
    for name in ("last_used_at", "created_at", "expires_at"):
        assert row[name].endswith("Z")
        assert datetime.fromisoformat(row[name]) == getattr(client.session, name)
    nullable = FIELDS - {"id", "last_used_at", "created_at", "expires_at", "is_current"}
    assert {row[name] for name in nullable} == {None}
    assert row["is_current"] is True


def test_current_is_the_session_of_the_token_and_no_other(
    api: SignIn, alice: User
) -> None:
    devices = [api(alice) for _ in range(3)]
    ids = list(Session.objects.order_by("pk").values_list("pk", flat=True))
    for device, pk in zip(devices, ids, strict=True):
        current = [row["id"] for row in listed(device) if row["is_current"]]
        assert current == [str(pk)]


def test_a_device_that_is_used_moves_to_the_top(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        first = api(alice)
        clock.shift(timedelta(minutes=2))
        second = api(alice)
        assert [row["is_current"] for row in listed(second)] == [True, False]
        clock.shift(timedelta(minutes=2))
        assert [row["is_current"] for row in listed(first)] == [True, False]
        assert [row["is_current"] for row in listed(second)] == [True, False]


def test_a_refresh_is_a_use(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        client = api(alice)
        clock.shift(timedelta(seconds=5))
        body = {"refresh_token": client.tokens.refresh_token}
        assert client.post("/auth/refresh", body).status_code == 200
        assert client.session.last_used_at == datetime.now(UTC)


def test_the_list_holds_active_sessions_of_ones_own(
    api: SignIn, alice: User, bob: User
) -> None:
    api(bob)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(alice)
    ended, client = api(alice), api(alice)
    ended.post("/auth/logout")
    assert [row["id"] for row in listed(client)] == [str(client.session.pk)]


def test_the_end_is_the_earlier_one_and_only_a_refresh_moves_it(
    api: SignIn, alice: User
) -> None:
    with time_machine.travel(datetime(2026, 11, 24, tzinfo=UTC), tick=False) as clock:
        client = api(alice)
        token = client.tokens.refresh_token
        ends = []
        for _ in range(4):
            clock.shift(timedelta(days=6))
            answer = client.post("/auth/refresh", {"refresh_token": token}).json()
            token = answer["refresh_token"]
            bearer = {"Authorization": f"Bearer {answer['access_token']}"}
            [row] = client.get("/sessions/me", headers=bearer).json()["sessions"]
            ends.append(row["expires_at"])
    days = ("2026-12-07", "2026-12-13", "2026-12-19", "2026-12-24")
    assert ends == [f"{day}T00:00:00Z" for day in days]


def test_the_list_costs_as_much_for_twenty_as_for_one(api: SignIn, alice: User) -> None:
    client = api(alice)
    counts = []
    for number in (1, 20):
        while Session.objects.count() < number:
            api(alice)
        with CaptureQueriesContext(connection) as queries:
            assert len(listed(client)) == number
        counts.append(len(queries.captured_queries))
    # Who calls, how often, and the rows.
    assert counts == [3, 3]


# --- One of them -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["abc", "%00", "..%2f..", "{id}%0a", "{id}/", "{upper}", "{{{id}}}", "{hex}"],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_what_is_no_id_is_nowhere(
    api: SignIn, alice: User, name: str, method: str
) -> None:
    client = api(alice)
    pk = client.session.pk
    path = name.format(id=pk, upper=str(pk).upper(), hex=pk.hex)
    answer = client.call(method, f"/sessions/{path}", {"device_name": "x"})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.session.is_active
    assert client.session.device_name == ""


def test_ending_this_very_session_is_a_logout(api: SignIn, alice: User) -> None:
    client, other = api(alice), api(alice)
    pk = Session.objects.earliest("pk").pk
    assert client.delete(f"/sessions/{pk}").status_code == 200
    assert client.get("/users/me").status_code == 401
    assert other.get("/users/me").status_code == 200
    event = Event.objects.get(action="session.ended")
    assert (event.actor_id, event.session_id, event.target_id) == (alice.pk, pk, pk)
    assert event.data == {"reason": "revoked"}


def test_a_session_that_was_removed_is_unknown(api: SignIn, alice: User) -> None:
    ended, client = api(alice), api(alice)
    pk = Session.objects.earliest("pk").pk
    ended.post("/auth/logout")
    assert client.delete(f"/sessions/{pk}").status_code == 200
    assert client.delete("/sessions/me/expired").status_code == 200
    assert client.delete(f"/sessions/{pk}").status_code == 404


def test_removing_past_sessions_spares_everybody_else(
    api: SignIn, alice: User, bob: User
) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(bob)
    client, other = api(alice), api(alice)
    answer = client.delete("/sessions/me/expired")
    assert answer.json() == {"success": True, "message": "0 expired sessions removed."}
    assert other.get("/users/me").status_code == 200
    assert Session.objects.count() == 3


def test_ending_the_others_twice_finds_none(api: SignIn, alice: User, bob: User) -> None:
    bobs, client, others = api(bob), api(alice), [api(alice) for _ in range(3)]
    messages = [client.delete("/sessions/me/others").json()["message"] for _ in "ab"]
    assert messages == ["3 other sessions ended.", "0 other sessions ended."]
    assert client.get("/users/me").status_code == 200
    assert bobs.get("/users/me").status_code == 200
    assert {d.get("/users/me").status_code for d in others} == {401}
    bodies = [{"refresh_token": d.tokens.refresh_token} for d in [*others, client]]
    renewals = [client.post("/auth/refresh", body).status_code for body in bodies]
    assert renewals == [401, 401, 401, 200]


def test_a_name_is_recorded_and_leaves_the_rest(api: SignIn, alice: User) -> None:
    here, there = api(alice), api(alice)
    pk = there.session.pk
    body = {"device_name": "Kitchen", "device_id": "x", "ended_at": None, "user": "x"}
    answer = here.patch(f"/sessions/{pk}", body)
    assert set(answer.json()) == FIELDS
    assert answer.json()["device_name"] == "Kitchen"
    assert answer.json()["device_id"] is None
    assert answer.json()["is_current"] is False
    assert there.session.device_name == "Kitchen"
    event = Event.objects.get(action="session.renamed")
    assert (event.actor_id, event.target_id) == (alice.pk, pk)


@pytest.mark.parametrize("body", [{}, [], "x", 7, {"device_name": "a\0b"}])
def test_a_name_must_be_there(api: SignIn, alice: User, body: object) -> None:
    client = api(alice)
    assert client.patch(f"/sessions/{client.session.pk}", body).status_code == 422
    assert client.session.device_name == ""


def test_what_is_not_ones_own_is_403_and_unknown_404(
    api: SignIn, alice: User, bob: User, root: User
) -> None:
    """To superusers as well: theirs is another door."""
    theirs = api(bob).session.pk
    for client in (api(alice), api(root)):
        for method in ("PATCH", "DELETE"):
            body = {"device_name": "x"}
            foreign = client.call(method, f"/sessions/{theirs}", body)
            assert foreign.status_code == 403
            assert foreign.json()["errors"][0]["code"] == "foreign_session"
            unknown = client.call(method, f"/sessions/{uuid4()}", body)
            assert unknown.json()["errors"][0]["code"] == "not_found"
    assert Session.objects.get(pk=theirs).is_active
    assert Event.objects.filter(action="access.denied").count() == 4
