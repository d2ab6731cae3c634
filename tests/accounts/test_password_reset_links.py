"""Which links to a new password work, and for how long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import Proof, User
from audit.models import Event
from outbox.models import Mail
from sessions_app.models import Session
from sessions_app.services import start_session
from tests.accounts.test_password_reset import (
    ALICE,
    CONFIRM,
    NEW,
    anew,
    ask,
    confirm,
    login,
    mailed,
)
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import mails, token

pytestmark = pytest.mark.django_db

OTHER = "plum otter canvas meadow"


def state() -> list[Any]:
    rows = (User, Session, Proof, Mail, Event)
    return [list(model._base_manager.order_by("pk").values()) for model in rows]


def test_a_link_works_once(api: SignIn, alice: User) -> None:
    """Checks 94."""
    link = mailed(api())
    assert confirm(api(), link).status_code == 200
    before = state()
    again = confirm(api(), link, OTHER)
    refused(again, 400, "link_invalid")
    assert state() == before


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("age", "status"), [(29, 200), (30, 400), (60, 400)])
def test_a_link_lasts_half_an_hour(
    api: SignIn, alice: User, age: int, status: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        link = mailed(api())
        assert mails("password_reset")[0].expires_at == datetime.now(UTC) + timedelta(
            minutes=30
        )
        clock.shift(timedelta(minutes=age))
        assert confirm(api(), link).status_code == status
        assert login(api(), PASSWORD).status_code == (401 if status == 200 else 200)


@pytest.mark.usefixtures("own_clock")
def test_beyond_five_an_hour_nothing_is_mailed_and_the_last_link_still_works(
    api: SignIn, alice: User
) -> None:
    """Checks 105."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for number in range(8):
            assert ask(api(), peer=f"203.0.113.{number}").status_code == 200
            clock.shift(timedelta(minutes=3))
        assert len(mails("password_reset")) == 5
        link = token("password_reset")
        assert confirm(api(), link).status_code == 200
        clock.shift(timedelta(minutes=40))
        assert ask(api()).status_code == 200
        assert len(mails("password_reset")) == 6


def test_a_newer_link_kills_the_older(api: SignIn, alice: User) -> None:
    older = mailed(api())
    newer = mailed(api())
    refused(confirm(api(), older), 400, "link_invalid")
    assert login(api(), PASSWORD).status_code == 200
    assert confirm(api(), newer).status_code == 200


def change_the_password(_: Api, device: Api) -> int:
    body = {"current_password": PASSWORD, "new_password": OTHER}
    return device.patch("/users/me/password", body).status_code


def change_the_address(anyone: Api, device: Api) -> int:
    body = {"current_password": PASSWORD, "new_email": "moved@example.com"}
    assert device.post("/users/me/email", body).status_code == 200
    link = {"token": token("confirm_address")}
    return anyone.post("/auth/email/confirm", link).status_code


def disown(anyone: Api, device: Api) -> int:
    """The account is shut, and a link of its own is mailed."""
    login(anyone, PASSWORD, headers={"User-Agent": "another"})
    link = {"token": token("new_device")}
    return anyone.post("/auth/disown", link).status_code


@pytest.mark.parametrize("change", [change_the_password, change_the_address, disown])
def test_a_link_dies_with_what_it_rests_on(
    api: SignIn, alice: User, change: Callable[[Api, Api], int]
) -> None:
    device = api(alice)
    link = mailed(api())
    assert change(api(), device) == 200
    before = state()
    answer = confirm(api(), link)
    refused(answer, 400, "link_invalid")
    assert state() == before


@pytest.mark.parametrize("field", ["is_active", "deleted_at"])
def test_a_link_of_somebody_who_is_shut_out_is_dead(
    api: SignIn, alice: User, root: User, field: str
) -> None:
    link = mailed(api())
    if field == "is_active":
        body = {"is_active": False}
        assert api(root).patch(f"/users/{alice.pk}", body).status_code == 200
    else:
        assert api(root).delete(f"/users/{alice.pk}").status_code == 200
    refused(confirm(api(), link), 400, "link_invalid")
    assert anew(alice).password == alice.password


@pytest.mark.parametrize(
    ("link", "status"),
    [
        ("", 422),
        ("   ", 422),
        ("a\0b", 422),
        ("x" * 257, 422),
        ("x" * 5000, 422),
        (None, 422),
        ([], 422),
        ({"a": "b"}, 422),
        (True, 422),
        ("x" * 43, 400),
        ("%00", 400),
        ("' OR 1=1 --", 400),
        ("ключ🔑", 400),
    ],
)
def test_what_is_no_token_of_ours_is_refused(
    api: SignIn, alice: User, link: Any, status: int
) -> None:
    mailed(api())
    before = state()
    answer = api().post(CONFIRM, {"token": link, "new_password": NEW})
    if status == 422:
        assert fields(answer) == ["token"]
    else:
        refused(answer, status, "link_invalid")
    assert state() == before


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_tokens_of_a_session_reset_nothing_and_links_are_no_bearer(
    api: SignIn, alice: User, name: str
) -> None:
    device = api(alice)
    link = mailed(api())
    answer = confirm(api(), getattr(device.tokens, name))
    assert answer.status_code in {400, 422}
    assert anew(alice).password == alice.password
    bearer = {"Authorization": f"Bearer {link}"}
    assert api().get("/users/me", headers=bearer).status_code == 401
    assert api().post("/auth/refresh", {"refresh_token": link}).status_code == 401
    assert confirm(api(), link).status_code == 200


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("short", "password_too_short"),
        ("x" * 129, "max_length"),
        ("", "blank"),
        ("Password1234", "password_too_common"),
        ("aaaaaaaaaaaaaaaa", "password_too_weak"),
        (ALICE, "password_too_similar"),
        (7, "password_too_short"),
        ([], "invalid"),
        (None, "null"),
    ],
)
def test_a_refused_password_does_not_spend_the_link(
    api: SignIn, alice: User, new: Any, reason: str
) -> None:
    device = api(alice)
    link = mailed(api())
    before = state()
    faults = refused(confirm(api(), link, new), 422)["errors"]
    assert {fault["field"] for fault in faults} == {"new_password"}
    assert reason in {fault["code"] for fault in faults}
    assert state() == before
    assert device.get("/users/me").status_code == 200
    assert confirm(api(), link).status_code == 200


def test_a_dead_link_costs_no_hash_and_tells_no_rules(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    answer = confirm(api(), "x" * 43, "short")
    refused(answer, 400, "link_invalid")
    assert hashings == []


@pytest.mark.parametrize(
    "step", ["accounts.mail.notify_password_changed", "audit.services.record_each"]
)
def test_a_reset_that_fails_half_way_changes_nothing(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Checks 244, S2: nothing or everything, and the link still works."""
    device = api(alice)
    link = mailed(api())
    before = state()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the machine went away")

    monkeypatch.setattr(step, fail)
    assert confirm(api(), link).status_code == 500
    assert state() == before
    monkeypatch.undo()
    assert device.get("/users/me").status_code == 200
    assert confirm(api(), link).status_code == 200
    assert device.get("/users/me").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_follow_one_link_at_once_one_wins(
    alice: User, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    start_session(user=alice)
    services.request_password_reset(email=ALICE)
    link = token("password_reset")
    passwords = [f"{NEW} {number}" for number in range(20)]
    outcomes = at_once(
        [partial(services.reset_password, token=link, new_password=p) for p in passwords]
    )
    assert sorted(map(str, outcomes)) == ["None"] + ["link_invalid"] * 19
    assert anew(alice).check_password(passwords[outcomes.index(None)])
    assert Event.objects.filter(action="password.reset").count() == 1
    assert Event.objects.filter(action="session.ended").count() == 1
    assert len(mails("password_changed")) == 1
