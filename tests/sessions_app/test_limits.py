"""How often: the contract's number for each call on sessions, and who it counts for."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from django.conf import settings as configured
from pytest_django.fixtures import Settings

from accounts.models import User
from sessions_app.models import Session
from tests.client import Api
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db

Call = Callable[[Api], httpx.Response]


def renewal(client: Api) -> dict[str, str]:
    return {"refresh_token": client.tokens.refresh_token}


CALLS: list[tuple[int, str, Call]] = [
    (10, "logout", lambda c: c.post("/auth/logout", {"refresh_token": "x"})),
    (5, "logout_all", lambda c: c.post("/auth/logout-all")),
    (30, "sessions", lambda c: c.get("/sessions/me")),
    (10, "end_session", lambda c: c.delete(f"/sessions/{uuid4()}")),
    (5, "remove_sessions", lambda c: c.delete("/sessions/me/expired")),
    (5, "end_sessions", lambda c: c.delete("/sessions/me/others")),
    (30, "rename_session", lambda c: c.patch(f"/sessions/{uuid4()}", {})),
]


@pytest.mark.parametrize(("number", "name", "call"), CALLS)
def test_a_call_is_counted_per_person_on_all_devices(
    api: SignIn, alice: User, bob: User, number: int, name: str, call: Call
) -> None:
    """Refused calls count as well; somebody else at the same address is not touched."""
    assert configured.RATE_LIMITS[name] == number
    for _ in range(number):
        assert call(api(_anew(alice))).status_code in {200, 401, 404, 422}
    beyond = api(_anew(alice))
    answer = call(beyond)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["errors"][0]["code"] == "too_many_requests"
    assert beyond.session.is_active
    assert call(api(bob)).status_code != 429


def _anew(user: User) -> User:
    """As a sign-in would read it: logging out everywhere raises the epoch."""
    return User.objects.get(pk=user.pk)


def test_an_address_refreshes_six_hundred_times(
    api: SignIn, alice: User, settings: Settings
) -> None:
    assert configured.RATE_LIMITS["refresh"] == 600
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"refresh": 2}
    devices = [api(alice) for _ in range(4)]
    statuses = [d.post("/auth/refresh", renewal(d)).status_code for d in devices[:3]]
    assert statuses == [200, 200, 429]
    late = devices[3].post("/auth/refresh", renewal(devices[3]), peer="203.0.113.1")
    assert late.status_code == 200
    assert sorted(Session.objects.values_list("rotations", flat=True)) == [0, 1, 1, 1]


def test_a_session_refreshes_thirty_times_from_wherever(
    api: SignIn, alice: User, settings: Settings
) -> None:
    assert configured.RATE_LIMITS["refresh_session"] == 30
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"refresh_session": 2}
    client, other = api(alice), api(alice)
    answers = [
        client.post("/auth/refresh", renewal(client), peer=f"203.0.113.{n}")
        for n in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert other.post("/auth/refresh", renewal(other)).status_code == 200


def test_forged_tokens_take_nothing_from_a_session(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"refresh_session": 2}
    client = api(alice)
    forgery = renewal(client)["refresh_token"][:-1] + "-"
    for _ in range(5):
        assert client.post("/auth/refresh", {"refresh_token": forgery}).status_code == 401
    assert client.post("/auth/refresh", renewal(client)).status_code == 200


def test_the_limit_is_looked_at_before_the_body(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"logout": 0}
    client = api(alice)
    assert client.post("/auth/logout", {"refresh_token": []}).status_code == 429
    assert client.session.is_active


def test_who_is_nobody_is_told_so_and_not_counted(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = configured.RATE_LIMITS | {"sessions": 1}
    for _ in range(3):
        assert api().get("/sessions/me").status_code == 401
    assert api(alice).get("/sessions/me").status_code == 200
