"""What concerns the person is told to their sockets; who is signed out is out."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import User
from audit import services as audit
from organizations.roles import Role
from sessions_app import services as sessions
from sessions_app.errors import RefreshTokenReused
from sessions_app.models import EndReason, Session
from sessions_app.services import start_session
from tests.client import Api, signed_in
from tests.factories import PASSWORD
from tests.live.conftest import Live
from tests.live.listener import Listener
from tests.mailbox import token
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db

ENDED = (4401, "session_ended")
NEW_PASSWORD = "quite another battery staple"


class Device:
    """Signed in, and listening."""

    def __init__(self, live: Live, user: User) -> None:
        self.api: Api = signed_in(live.in_process, user)
        self.pk = self.api.session.pk
        self.user = user
        self.listener: Listener = live.open(self.api)

    def close(self) -> tuple[int, str] | None:
        return self.listener.end()


# --- Own events --------------------------------------------------------------------


def change_profile(live: Live, alice: User, root: User) -> None:
    signed_in(live.in_process, alice).patch("/users/me", {"first_name": "Al"})


def edit(live: Live, alice: User, root: User) -> None:
    accounts.edit_user(user=alice, by=root, last_name="Liddell")


def give_rights(live: Live, alice: User, root: User) -> None:
    accounts.update_rights(user=alice, by=root, is_staff=True, is_superuser=True)


def assign_address(live: Live, alice: User, root: User) -> None:
    accounts.edit_user(user=alice, by=root, email="a.liddell@example.com")


@pytest.mark.parametrize(
    ("deed", "fields"),
    [
        (change_profile, ["first_name"]),
        (edit, ["last_name"]),
        (give_rights, ["is_superuser"]),
        (assign_address, ["email", "email_verified"]),
    ],
)
def test_a_changed_account_is_told_to_all_sockets_of_the_person_alone(
    live: Live,
    alice: User,
    bob: User,
    root: User,
    deed: Callable[[Live, User, User], None],
    fields: list[str],
) -> None:
    mine = [live.open(alice), live.open(alice)]
    others = [live.open(bob), live.open(root)]
    with live.committed():
        deed(live, alice, root)
    for listener in mine:
        told = [each for each in listener.news() if each["type"] != "session.started"]
        assert [each["type"] for each in told] == ["user.updated"]
        assert told[0]["data"] == {"fields": fields}
        assert "organization_id" not in told[0]
    assert [listener.news() for listener in others] == [[], []]


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("email.changed", ["email", "email_verified"]),
        ("email.restored", ["email", "email_verified"]),
        ("email.verified", ["email_verified"]),
    ],
)
def test_an_address_is_told_as_changed_fields(
    live: Live, alice: User, action: str, fields: list[str]
) -> None:
    listener = live.open(alice)
    with live.committed():
        audit.record(action, actor=alice, target=alice, address="old@example.com")
    (told,) = listener.news()
    assert (told["type"], told["data"]) == ("user.updated", {"fields": fields})


@pytest.mark.parametrize(
    "action",
    ["password.changed", "sign_in.failed", "user.exported", "session.renamed", "x"],
)
def test_what_is_not_in_the_tables_is_told_to_nobody(
    live: Live, alice: User, action: str
) -> None:
    listener = live.open(alice)
    with live.committed():
        audit.record(action, actor=alice, target=alice)
    assert listener.news() == []


def test_a_new_device_is_told_to_the_others(live: Live, alice: User, bob: User) -> None:
    mine, his = live.open(alice), live.open(bob)
    with live.committed():
        body = {"email": alice.email, "password": PASSWORD}
        answer = Api(live.in_process).post("/auth/login", body)
        assert answer.status_code == 200
    (told,) = mine.news()
    session = Session.objects.filter(user=alice).latest("pk")
    assert (told["type"], told["data"]) == (
        "session.started",
        {"session_id": str(session.pk)},
    )
    assert his.news() == []


def test_what_is_rolled_back_is_told_to_nobody(live: Live, alice: User) -> None:
    listener = live.open(alice)
    with live.committed(), transaction.atomic():
        audit.record("user.updated", actor=alice, target=alice, fields=["first_name"])
        transaction.set_rollback(True)
    assert listener.news() == []


# --- Ends --------------------------------------------------------------------------

End = Callable[[Device, Device, Live, User], Any]


def log_out(here: Device, there: Device, live: Live, root: User) -> None:
    assert here.api.post("/auth/logout").status_code == 200


def log_out_other(here: Device, there: Device, live: Live, root: User) -> None:
    body = {"refresh_token": there.api.tokens.refresh_token}
    assert here.api.post("/auth/logout", body).status_code == 200


def revoke(here: Device, there: Device, live: Live, root: User) -> None:
    assert here.api.delete(f"/sessions/{there.pk}").status_code == 200


def end_others(here: Device, there: Device, live: Live, root: User) -> None:
    assert here.api.delete("/sessions/me/others").status_code == 200


def log_out_all(here: Device, there: Device, live: Live, root: User) -> None:
    assert here.api.post("/auth/logout-all").status_code == 200


def change_password(here: Device, there: Device, live: Live, root: User) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert here.api.patch("/users/me/password", body).status_code == 200


def reset_password(here: Device, there: Device, live: Live, root: User) -> None:
    accounts.request_password_reset(email=here.user.email)
    accounts.reset_password(token=token("password_reset"), new_password=NEW_PASSWORD)


def deactivate(here: Device, there: Device, live: Live, root: User) -> None:
    accounts.deactivate_users(user_ids=[here.user.pk], by=root)


def delete(here: Device, there: Device, live: Live, root: User) -> None:
    accounts.delete_user(user_id=here.user.pk, by=root)


def leave(here: Device, there: Device, live: Live, root: User) -> None:
    body = {"password": PASSWORD, "current_password": PASSWORD}
    answer = here.api.delete("/users/me", body)
    assert answer.status_code < 300, answer.text


def steal(here: Device, there: Device, live: Live, root: User) -> None:
    """The second to last refresh token of the other device is presented."""
    first = there.api.tokens.refresh_token
    second = sessions.rotate_session(refresh_token=first).refresh_token
    sessions.rotate_session(refresh_token=second)
    with pytest.raises(RefreshTokenReused):
        sessions.rotate_session(refresh_token=first)


def end_by_operator(here: Device, there: Device, live: Live, root: User) -> None:
    sessions.end_session(
        session=Session.objects.get(pk=there.pk), by=root, reason=EndReason.REVOKED
    )


HERE, THERE = {"here"}, {"there"}
ENDS: dict[End, set[str]] = {
    log_out: HERE,
    log_out_other: THERE,
    revoke: THERE,
    end_others: THERE,
    log_out_all: HERE | THERE,
    change_password: THERE,
    reset_password: HERE | THERE,
    deactivate: HERE | THERE,
    delete: HERE | THERE,
    leave: HERE | THERE,
    steal: THERE,
    end_by_operator: THERE,
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_sockets_of_exactly_those_sessions_close(
    live: Live, alice: User, bob: User, root: User, end: End
) -> None:
    here, there = Device(live, alice), Device(live, alice)
    second = live.open(there.api)
    his = live.open(bob)
    with live.committed():
        end(here, there, live, root)
        # Behind it in the log: nobody who is out hears of it.
        audit.record("user.updated", target=alice, fields=["first_name"])
    out = ENDS[end]
    told = {"session.ended", "user.updated"}
    for name, sockets in (("here", [here.listener]), ("there", [there.listener, second])):
        for listener in sockets:
            if name in out:
                assert listener.end() == ENDED
                assert not told & set(listener.kinds)
            else:
                assert listener.is_open
                assert listener.kinds == ["session.ended", "user.updated"]
    assert his.is_open
    assert his.news() == []


@pytest.mark.parametrize("stays", ["here"])
def test_the_others_are_told_which_and_why(live: Live, alice: User, stays: str) -> None:
    here, there = Device(live, alice), Device(live, alice)
    with live.committed():
        log_out_other(here, there, live, alice)
    (told,) = here.listener.news()
    assert told["data"] == {"session_id": str(there.pk), "reason": "logout"}


def test_one_session_too_many_ends_the_oldest(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.SESSIONS_PER_USER = 2
    oldest, second = Device(live, alice), Device(live, alice)
    with live.committed():
        start_session(user=alice)
    assert oldest.close() == ENDED
    assert second.listener.kinds == ["session.started", "session.ended"]


def test_everybody_is_out_when_an_operator_says_so(
    live: Live, alice: User, bob: User
) -> None:
    devices = [Device(live, alice), Device(live, bob)]
    with live.committed():
        call_command("end_all_sessions")
    assert [device.close() for device in devices] == [ENDED, ENDED]
    assert [device.listener.news() for device in devices] == [[], []]


def test_who_signed_in_after_everybody_was_out_stays(live: Live, alice: User) -> None:
    with live.capture(execute=False):
        call_command("end_all_sessions")
    alice.refresh_from_db()
    listener = live.open(alice)
    with live.committed():
        # It took its time.
        audit.record("sessions.all_ended", number=0)
    assert listener.is_open


def test_rotating_closes_nothing_and_tells_nothing(live: Live, alice: User) -> None:
    device = Device(live, alice)
    with live.committed():
        body = {"refresh_token": device.api.tokens.refresh_token}
        answer = Api(live.in_process).post("/auth/refresh", body)
        assert answer.status_code == 200
    assert device.listener.is_open
    assert device.listener.news() == []


def test_who_is_signed_out_hears_nothing_of_organizations(
    live: Live, acme: Tenant
) -> None:
    device = Device(live, acme.admin)
    where = str(acme.organization.pk)
    assert device.listener.ask("subscribe", organization_id=where)["type"] == "subscribed"
    with live.committed():
        audit.record(
            "member.joined",
            target=acme.member,
            organization_id=acme.organization.pk,
            role=Role.MEMBER.value,
        )
        device.api.post("/auth/logout")
        audit.record(
            "member.left", target=acme.member, organization_id=acme.organization.pk
        )
    assert device.close() == ENDED
    assert "member.left" not in device.listener.kinds
    assert not live.hub.groups


def test_what_was_waiting_is_not_told_behind_the_end(live: Live, alice: User) -> None:
    device = Device(live, alice)
    device.listener.readable.clear()
    with live.committed():
        for _ in range(5):
            audit.record("user.updated", target=alice, fields=["first_name"])
        device.api.post("/auth/logout")
    device.listener.readable.set()
    assert device.close() == ENDED
    assert len(device.listener.news()) <= 1
