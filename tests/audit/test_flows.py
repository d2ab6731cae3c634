"""Each thing that happens leaves one event, and says who, to whom, from where and how."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts import services
from accounts.models import User
from audit.models import Event
from sessions_app.models import EndReason, Session
from sessions_app.services import end_session, start_session
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser

NEW = "lantern gravel oyster tundra"
Flow = Callable[[Api, Api, Api], Any]


def stolen(mine: Api) -> Any:
    first = {"refresh_token": mine.tokens.refresh_token}
    second = mine.post("/auth/refresh", first).json()["refresh_token"]
    mine.post("/auth/refresh", {"refresh_token": second})
    return mine.post("/auth/refresh", first)


def login(password: str) -> Flow:
    body = {"email": "alice@example.com", "password": password}
    return lambda nobody, mine, boss: nobody.post("/auth/login", body)


def person(mine: Api) -> str:
    return f"/users/{mine.tokens.user.pk}"


#        what is done, the event, its outcome, who is named as actor, as target
FLOWS: dict[str, tuple[Flow, str, str, str | None, str | None]] = {
    "registration": (
        lambda n, m, b: n.post(
            "/auth/register",
            {"email": "d@example.com", "password": NEW, "first_name": "D"},
        ),
        "user.registered",
        "success",
        "d@example.com",
        "d@example.com",
    ),
    "sign-in": (login(PASSWORD), "session.started", "success", "alice", "session"),
    "failure": (login("wrong"), "sign_in.failed", "failure", None, "alice"),
    "theft": (lambda n, m, b: stolen(m), "session.refresh_reuse", "denied", "alice", ""),
    "logout": (
        lambda n, m, b: m.post("/auth/logout"),
        "session.ended",
        "success",
        "alice",
        "session",
    ),
    "everywhere": (
        lambda n, m, b: m.post("/auth/logout-all"),
        "session.ended",
        "success",
        "alice",
        "session",
    ),
    "one device": (
        lambda n, m, b: m.delete(f"/sessions/{m.session.pk}"),
        "session.ended",
        "success",
        "alice",
        "session",
    ),
    "a name": (
        lambda n, m, b: m.patch(f"/sessions/{m.session.pk}", {"device_name": "x"}),
        "session.renamed",
        "success",
        "alice",
        "session",
    ),
    "profile": (
        lambda n, m, b: m.patch("/users/me", {"first_name": "A"}),
        "user.updated",
        "success",
        "alice",
        "alice",
    ),
    "password": (
        lambda n, m, b: m.patch(
            "/users/me/password", {"current_password": PASSWORD, "new_password": NEW}
        ),
        "password.changed",
        "success",
        "alice",
        "alice",
    ),
    "wrong password": (
        lambda n, m, b: m.patch(
            "/users/me/password", {"current_password": "wrong", "new_password": NEW}
        ),
        "access.denied",
        "denied",
        "alice",
        None,
    ),
    "no right": (
        lambda n, m, b: m.get("/users"),
        "access.denied",
        "denied",
        "alice",
        None,
    ),
    "deactivation": (
        lambda n, m, b: b.patch(person(m), {"is_active": False}),
        "user.deactivated",
        "success",
        "root",
        "alice",
    ),
    "deletion": (
        lambda n, m, b: b.delete(person(m)),
        "user.deleted",
        "success",
        "root",
        "alice",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", FLOWS)
def test_each_flow_leaves_one_event(
    api: SignIn, alice: User, root: User, name: str
) -> None:
    flow, action, outcome, actor, target = FLOWS[name]
    nobody, mine, boss = api(), api(alice), api(root)
    before = set(Event.objects.values_list("pk", flat=True))
    answer = flow(nobody, mine, boss)
    (event,) = Event.objects.filter(action=action).exclude(pk__in=before)
    assert (event.outcome, event.address) == (outcome, "198.51.100.7")
    assert event.agent.startswith("python-httpx")
    assert event.request_id == answer.headers["X-Request-ID"]
    assert event.at.utcoffset() is not None
    assert event.actor_label.startswith(actor or "")
    assert (event.actor_id is None) == (actor is None)
    if target == "session":
        assert event.target_type == "session"
    elif target:
        assert (event.target_type, event.target_label.startswith(target)) == (
            "user",
            True,
        )


@pytest.mark.django_db
def test_a_block_is_recorded_once(api: SignIn, alice: User) -> None:
    body = {"email": alice.email, "password": "wrong"}
    peers = ["203.0.113.9"] * 10
    for peer in peers:
        api().post("/auth/login", body, peer=peer)
    # Another address of the same pair's count would be another pair: the same one knocks
    # on through the form, which has a limit a minute of its own.
    form = {"username": alice.email, "password": "wrong"}
    for _ in range(3):
        answer = api().call("POST", "/auth/login/oauth", data=form, peer=peers[0])
        assert answer.status_code == 429
    event = Event.objects.get(action="sign_in.blocked")
    assert (event.outcome, event.target_id, event.address) == (
        "denied",
        alice.pk,
        peers[0],
    )


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_end_one_session_one_is_on_record() -> None:
    """Checks 216: as many events as changes, whoever wins."""
    alice = UserFactory.create()
    start_session(user=alice)
    session = Session.objects.get()
    start = Barrier(50)

    def end(_: int) -> bool:
        start.wait()
        try:
            return end_session(session=session, by=alice, reason=EndReason.REVOKED)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as threads:
        ended = list(threads.map(end, range(50)))
    assert sum(ended) == Event.objects.filter(action="session.ended").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_deactivate_one_person_one_is_on_record() -> None:
    alice, boss = UserFactory.create(), make_superuser()
    start = Barrier(50)

    def deactivate(_: int) -> None:
        start.wait()
        try:
            services.deactivate_users(user_ids=[alice.pk], by=boss)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(deactivate, range(50)))
    assert Event.objects.filter(action="user.deactivated").count() == 1
