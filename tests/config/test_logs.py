"""One line an event, escaped; and nothing secret in any of them."""

import json
import logging
from typing import Any

import pytest
import structlog

from accounts.models import User
from audit.models import Event
from config import logs
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
