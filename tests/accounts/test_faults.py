"""The database fails in the middle of a call: all of it is done or nothing is."""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import pytest
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from django.test import Client

from accounts.models import User
from audit import services as audit
from audit.models import Event
from sessions_app import lookup
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
NEW = "plum otter canvas meadow"
SECRET = "relation accounts_user does not exist"
CALLS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "register": (
        "POST",
        "/auth/register",
        {"email": "new@example.com", "password": NEW, "first_name": "New"},
    ),
    "login": ("POST", "/auth/login", LOGIN),
    "change me": ("PATCH", "/users/me", {"first_name": "New", "locale": "it"}),
    "change password": (
        "PATCH",
        "/users/me/password",
        {"current_password": PASSWORD, "new_password": NEW},
    ),
    "change alice": (
        "PATCH",
        "/users/{alice}",
        {"first_name": "New", "is_active": False},
    ),
    "delete alice": ("DELETE", "/users/{alice}", None),
}


class Fault(NamedTuple):
    kind: type[Exception]
    status: int
    code: str


FAULTS = [
    Fault(OperationalError, 503, "unavailable"),
    Fault(InterfaceError, 503, "unavailable"),
    Fault(ProgrammingError, 500, "internal_error"),
    Fault(RuntimeError, 500, "internal_error"),
]


def failing(fault: type[Exception]) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise fault(SECRET)

    return fail


def state() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values()) for model in (User, Session, Event)
    ]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_recorded_is_not_done(
    api: SignIn,
    alice: User,
    root: User,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    fault: Fault,
) -> None:
    """Checks 216 and 244: each of these calls writes first and records then."""
    api(alice)
    client = api(root)
    before = state()
    method, path, body = CALLS[call]
    monkeypatch.setattr(audit, "_add", failing(fault.kind))
    # A session and its event are added at once.
    monkeypatch.setattr(lookup, "insert_and_ask", failing(fault.kind))
    answer = client.call(method, path.format(alice=alice.pk), body)
    assert answer.status_code == fault.status
    assert answer.json()["errors"][0]["code"] == fault.code
    assert ("Retry-After" in answer.headers) is (fault.status == 503)
    assert SECRET not in answer.text
    assert "token" not in answer.text
    assert state() == before


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login/oauth"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_token_is_issued_without_its_session(
    api: SignIn,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    fault: Fault,
) -> None:
    """Checks 36."""
    form = {"data": {"username": alice.email, "password": PASSWORD}}
    body: dict[str, Any] = form if path.endswith("oauth") else {"json": LOGIN}
    monkeypatch.setattr(lookup, "insert_and_ask", failing(fault.kind))
    answer = api().call("POST", path, **body)
    assert answer.status_code == fault.status
    assert answer.json()["errors"][0]["code"] == fault.code
    assert "token" not in answer.text
    assert SECRET not in answer.text
    assert not Session.objects.exists()
    assert not Event.objects.filter(action="session.started").exists()
    monkeypatch.undo()
    assert api().call("POST", path, **body).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [(IntegrityError, 409), (DataError, 400), (OperationalError, 503)],
)
def test_what_the_database_refuses_is_no_crash(
    api: SignIn,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    fault: type[Exception],
    status: int,
) -> None:
    monkeypatch.setattr(User, "save", failing(fault))
    answer = api(alice).patch("/users/me", {"first_name": "New"})
    assert answer.status_code == status
    assert SECRET not in answer.text


def test_a_counter_that_does_not_answer_opens_no_door(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch, hashings: list[str]
) -> None:
    """Where nothing can be counted, no password is tried."""
    hashings.clear()
    monkeypatch.setattr(
        "django.db.backends.utils.CursorWrapper.execute", failing(OperationalError)
    )
    answer = api().post("/auth/login", LOGIN)
    assert answer.status_code == 503
    assert hashings == []


def test_the_console_signs_nobody_in_without_a_record(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(headers={"host": "testserver"}, raise_request_exception=False)
    monkeypatch.setattr(audit, "_add", failing(OperationalError))
    body = {"username": root.email, "password": PASSWORD}
    assert client.post("/admin/login/", body).status_code >= 500
    assert client.get("/admin/").status_code == 302
