"""The limits of the contract's tables, one call more than each."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from accounts.models import User
from audit.models import Event
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD, make_superuser

pytestmark = pytest.mark.django_db

CHANGE = {"current_password": PASSWORD, "new_password": "plum otter canvas meadow"}
NAME = {"first_name": "New"}


def register(anyone: Api, _: Api, number: int) -> Response:
    body = {"email": f"new{number}@example.com", "password": PASSWORD, **NAME}
    return anyone.post("/auth/register", body)


def login(anyone: Api, _: Api, number: int) -> Response:
    body = {"email": f"nobody{number}@example.com", "password": PASSWORD}
    return anyone.post("/auth/login", body)


def form(anyone: Api, _: Api, number: int) -> Response:
    data = {"username": f"nobody{number}@example.com", "password": PASSWORD}
    return anyone.call("POST", "/auth/login/oauth", data=data)


def change_me(_: Api, boss: Api, number: int) -> Response:
    return boss.patch("/users/me", NAME)


def change_another(_: Api, boss: Api, number: int) -> Response:
    return boss.patch(f"/users/{User.objects.get(email='victim@x.io').pk}", NAME)


def change_password(_: Api, boss: Api, number: int) -> Response:
    password = PASSWORD if number > 5 else "wrong wrong wrong"
    return boss.patch("/users/me/password", CHANGE | {"current_password": password})


def delete(_: Api, boss: Api, number: int) -> Response:
    known = User.objects.get(email="victim@x.io").pk
    return boss.delete(f"/users/{known if number > 10 else uuid4()}")


ROWS: list[tuple[Callable[[Api, Api, int], Response], int, int]] = [
    (register, 5, 201),
    (login, 10, 401),
    (form, 10, 401),
    (change_me, 30, 200),
    (change_another, 30, 200),
    (change_password, 5, 403),
    (delete, 10, 404),
]


@pytest.mark.parametrize(("call", "number", "status"), ROWS)
def test_one_call_more_than_its_limit_is_refused_before_any_work(
    api: SignIn, hashings: list[str], call: Any, number: int, status: int
) -> None:
    boss = api(make_superuser(email="boss@example.com"))
    make_superuser(email="victim@x.io")
    answers = [call(api(), boss, count) for count in range(1, number + 1)]
    assert [answer.status_code for answer in answers] == [status] * number
    people, events = list(User.objects.values()), Event.objects.count()
    hashings.clear()
    refused = call(api(), boss, number + 1)
    assert refused.status_code == 429
    assert refused.json()["errors"][0]["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert hashings == []
    assert (list(User.objects.values()), Event.objects.count()) == (people, events)


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [("PATCH", "/users/me", 30), ("PATCH", "/users/me/password", 5)],
)
def test_whoever_is_signed_in_is_counted_alone(
    api: SignIn, alice: User, bob: User, method: str, path: str, limit: int
) -> None:
    """Not by address: colleagues share one."""
    for _ in range(limit):
        api(alice).call(method, path, {})
    moved = api(alice).call(method, path, {}, peer="203.0.113.5")
    assert moved.status_code == 429
    assert api(bob).call(method, path, {}).status_code != 429


@pytest.mark.parametrize("path", ["/users/me", "/users", "/users/{own}"])
def test_reading_has_no_limit(api: SignIn, root: User, path: str) -> None:
    client = api(root)
    statuses = {client.get(path.format(own=root.pk)).status_code for _ in range(70)}
    assert statuses == {200}


def test_refused_registrations_count_as_well(api: SignIn) -> None:
    """Or the limit would not slow down whoever asks which addresses are known."""
    for _ in range(5):
        assert api().post("/auth/register", {}).status_code == 422
    assert api().post("/auth/register", {}).status_code == 429
