"""One line an event, escaped; and nothing secret in any of them."""

import json
import logging
from typing import Any

import pytest
import structlog
from django.db import OperationalError

from accounts.models import User
from audit.models import Event
from config import logs
from config.errors import Unavailable
from sessions_app.models import Session
from tests.conftest import SignIn

SECRET = "Sentinel plum otter canvas 4711"
HOSTILE = ["a\r\nb", "\x1b[31mred", "a\u2028b", '"}{"', "\x00", "é\x85"]


def rendered(form: str, caught: Exception | None = None, **values: Any) -> str:
    """What one event becomes, by the processors of that format."""
    chain: list[Any] = [structlog.processors.format_exc_info]
    if form == "json":
        chain += [structlog.processors.JSONRenderer()]
    else:
        chain += [logs.escape, structlog.dev.ConsoleRenderer(colors=False)]
    event: Any = {"event": "happened", **values}
    if caught:
        event["exc_info"] = caught
    for processor in chain:
        event = processor(logging.getLogger("t"), "info", event)
    return str(event)


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_starts_no_line_of_its_own(form: str, value: str) -> None:
    line = rendered(form, path=value)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    if form == "json":
        assert json.loads(line)["path"] == value


def test_a_traceback_forges_no_event() -> None:
    fault = ValueError("a\n2026-11-24T00:00:00Z [info] forged\x1b[2J")
    first, *rest = rendered("console", caught=fault).splitlines()
    assert "happened" in first
    assert all(line.startswith("    ") for line in rest if line)
    assert "\x1b" not in "".join(rest)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "status"),
    [(OperationalError, 503), (Unavailable, 503), (RuntimeError, 500)],
)
def test_only_a_crash_is_an_error(
    api: SignIn,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: type[Exception],
    status: int,
) -> None:
    def fail(*_: object) -> None:
        raise fault

    client = api(alice)
    monkeypatch.setattr(Session, "touch", fail)
    with caplog.at_level(logging.INFO):
        assert client.get("/users/me").status_code == status
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["django.request"] * (status == 500)
    assert all(record.exc_info for record in errors)
    access = [r for r in caplog.records if r.name == "edge" and "request" in str(r.msg)]
    assert str(status) in str(access[-1].msg)


@pytest.mark.parametrize(("status", "kept"), [(500, True), (503, False), (501, False)])
def test_a_500_without_a_traceback_is_a_crash_as_well(status: int, kept: bool) -> None:
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "", None, None)
    record.status_code = status
    assert logs.is_crash(record) == kept


@pytest.mark.django_db
def test_no_secret_is_written_anywhere_but_as_a_digest(
    api: SignIn, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    body = {"email": "s@example.com", "password": SECRET, "first_name": "S"}
    with caplog.at_level(logging.DEBUG, logger="edge"):
        answers = [api().post("/auth/register", body)]
        token = api().post("/auth/login", body).json()
        refresh = {"refresh_token": token["refresh_token"]}
        newer = api().post("/auth/refresh", refresh).json()
        answers += [api().post("/auth/refresh", {"refresh_token": "x" + SECRET})]
        answers += [api().post("/auth/login", body | {"password": SECRET + "!"})]
        bearer = {"Authorization": f"Bearer {newer['access_token']}"}
        change = {"current_password": SECRET, "new_password": SECRET + " anew"}
        answers += [api().patch("/users/me/password", change, headers=bearer)]
        answers += [api().post("/auth/logout", headers=bearer)]
    written = caplog.text + "".join(capfd.readouterr())
    written += "".join(answer.text for answer in answers)
    for model in (User, Session, Event):
        written += str(list(model.objects.values()))
    for pair in (token, newer):
        for name in ("access_token", "refresh_token"):
            assert pair[name] not in written
            assert pair[name].rpartition(".")[2] not in written
    assert "Sentinel" not in written
