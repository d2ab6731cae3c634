"""People shut out, let in again and deleted by superusers."""

from typing import Any

import pytest

from accounts.models import User
from audit.models import Event
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import mails
from tests.organizations.cast import Tenant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]


def actions(person: User) -> list[str]:
    rows = Event.objects.filter(target_id=person.pk).order_by("pk")
    return list(rows.values_list("action", flat=True))


# --- Out and in again --------------------------------------------------------------


def test_whoever_is_shut_out_is_out_at_once(api: SignIn, boss: Api, alice: User) -> None:
    devices = [api(alice), api(alice)]
    answer = boss.post(f"/admin/users/{alice.pk}/deactivate")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert answer.json().keys() == {"success", "message"}
    for device in devices:
        refused(device.get("/users/me"), 401)
        token = {"refresh_token": device.tokens.refresh_token}
        refused(device.post("/auth/refresh", token), 401)
    assert not Session.objects.active().filter(user=alice).exists()
    assert Event.objects.filter(action="session.ended").count() == 2


def test_letting_in_brings_no_session_back(api: SignIn, boss: Api, alice: User) -> None:
    device = api(alice)
    for way in ("deactivate", "deactivate", "activate", "activate"):
        assert boss.post(f"/admin/users/{alice.pk}/{way}").status_code == 200
    assert actions(alice) == ["user.deactivated", "user.activated"]
    refused(device.get("/users/me"), 401)
    assert boss.get(f"/admin/users/{alice.pk}").json()["is_active"] is True
    login = {"email": alice.email, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/deactivate"), ("DELETE", ""), ("PUT", "")]
)
def test_nobody_shuts_themselves_out(
    boss: Api, root: User, second: User, method: str, path: str
) -> None:
    body = {"is_active": False} if method == "PUT" else None
    answer = boss.call(method, f"/admin/users/{root.pk}{path}", body)
    refused(answer, 403, "own_account")
    assert User.objects.get(pk=root.pk).is_active
    assert actions(root) == []


def test_activating_oneself_repeats_what_is_already_so(boss: Api, root: User) -> None:
    """The contract refuses deactivating oneself, and lets effects be repeated."""
    assert boss.post(f"/admin/users/{root.pk}/activate").status_code == 200
    assert actions(root) == []


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/deactivate"), ("DELETE", ""), ("PUT", "")]
)
def test_the_last_owner_is_held_with_the_names(
    api: SignIn, boss: Api, acme: Tenant, method: str, path: str
) -> None:
    device = api(acme.owner)
    body = {"is_active": False, "first_name": "N"} if method == "PUT" else None
    answer = boss.call(method, f"/admin/users/{acme.owner.pk}{path}", body)
    problem = refused(answer, 409, "last_owner")
    one = {"id": str(acme.organization.pk), "name": "Acme", "slug": "acme"}
    assert problem["organizations"] == [one]
    assert device.get("/users/me").json()["first_name"] == "Acme owner"
    assert actions(acme.owner) == []


# --- Deleting ----------------------------------------------------------------------


def test_who_is_deleted_is_nowhere_but_in_the_books(
    api: SignIn, boss: Api, acme: Tenant
) -> None:
    person, device = acme.member, api(acme.member)
    answer = boss.delete(f"/admin/users/{person.pk}")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    refused(device.get("/users/me"), 401)
    here = f"/admin/organizations/{acme.organization.pk}"
    for path in ("/admin/users", "/users", f"{here}/members", "/admin/sessions"):
        assert str(person.pk) not in boss.get(f"{path}?limit=100").text
    assert boss.get(here).json()["member_count"] == 2
    row = User.objects.get(pk=person.pk)
    assert (row.is_active, row.deleted_at is None) == (False, False)
    assert mails("account_deleted", to=person.email)
    assert actions(person) == ["user.deleted"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"first_name": "N"}),
        ("PUT", "", {"is_active": True}),
        ("DELETE", "", None),
        ("POST", "/activate", None),
        ("POST", "/deactivate", None),
    ],
)
def test_nothing_more_is_done_to_the_deleted(
    boss: Api, alice: User, method: str, path: str, body: Any
) -> None:
    boss.delete(f"/admin/users/{alice.pk}")
    answer = boss.call(method, f"/admin/users/{alice.pk}{path}", body)
    refused(answer, 404, "not_found")
    assert actions(alice) == ["user.deleted"]
    assert User.objects.get(pk=alice.pk).first_name == "Alice"
