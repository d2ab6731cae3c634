"""People as superusers list, make, let in, shut out and delete them."""

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import User
from audit.models import Event
from config.errors import PermissionDenied
from tests.accounts.console import Browser
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

NEW = {"email": "New@Example.com", "password": PASSWORD, "first_name": " New "}


# --- Lists -------------------------------------------------------------------------


@pytest.fixture
def crowd(root: User) -> list[User]:
    UserFactory.create(email="gone@x.io", is_active=False, deleted_at=timezone.now())
    UserFactory.create(email="off@x.io", first_name="Off", is_active=False)
    return [UserFactory.create(last_name=f"L{n % 3}") for n in range(12)]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 14),
        ("is_active=true", 13),
        ("is_active=false", 1),
        ("is_superuser=true", 1),
        ("is_superuser=false&is_active=true", 12),
        ("search=l1", 4),
        ("search=L1&is_active=false", 0),
        ("search=OFF@X", 1),
        ("search=gone", 0),
        ("search=%25", 0),
        ("search=_", 0),
        ("search=%20%20", 14),
    ],
)
def test_filters_narrow_the_list(
    boss: Api, crowd: list[User], query: str, number: int
) -> None:
    page = boss.get(f"/admin/users?limit=100&{query}").json()
    assert page["pagination"]["total"] == len(page["data"]) == number


@pytest.mark.parametrize("sort_order", ["asc", "desc"])
@pytest.mark.parametrize(
    "sort_by", ["created_at", "updated_at", "email", "first_name", "last_name"]
)
def test_pages_repeat_and_drop_nobody(
    boss: Api, crowd: list[User], sort_by: str, sort_order: str
) -> None:
    query = f"/admin/users?limit=4&sort_by={sort_by}&sort_order={sort_order}"
    pages = [boss.get(f"{query}&page={n}").json()["data"] for n in range(1, 5)]
    seen = [row["id"] for page in pages for row in page]
    assert len(seen) == len(set(seen)) == 14
    assert len(pages[-1]) == 2


def test_the_list_is_in_the_order_asked_for(boss: Api, crowd: list[User]) -> None:
    query = "/admin/users?limit=100&sort_by=email&sort_order="
    up = [row["email"] for row in boss.get(query + "asc").json()["data"]]
    down = [row["email"] for row in boss.get(query + "desc").json()["data"]]
    assert up == down[::-1] == sorted(up)


@pytest.mark.parametrize("query", ["search=%00", "search=" + "x" * 129, "is_superuser=2"])
def test_a_bad_filter_is_told(boss: Api, query: str) -> None:
    assert fields(boss.get(f"/admin/users?{query}")) == [query.partition("=")[0]]


# --- Making ------------------------------------------------------------------------


@pytest.mark.parametrize("is_superuser", [True, False])
def test_somebody_made_can_sign_in(api: SignIn, boss: Api, is_superuser: bool) -> None:
    more = {"last_name": "L", "phone_number": "(02) 1234-5678", "locale": "en-US"}
    answer = boss.post("/admin/users", NEW | more | {"is_superuser": is_superuser})
    body = answer.json()
    assert answer.status_code == 201
    assert (body["email"], body["first_name"]) == ("New@Example.com", "New")
    assert (body["phone_number"], body["locale"]) == ("0212345678", "en-us")
    assert (body["is_active"], body["is_superuser"]) == (True, is_superuser)
    assert (body["email_verified"], body["updated_at"]) == (False, None)
    login = api().post("/auth/login", {"email": "new@example.com", "password": PASSWORD})
    assert login.json()["user"]["id"] == body["id"]
    assert User.objects.get(pk=body["id"]).is_staff is is_superuser
    browser = Browser(api())
    browser.sign_in("new@example.com")
    assert browser.is_in is is_superuser


def test_nothing_but_the_documented_takes_effect(boss: Api) -> None:
    sly = {"is_staff": True, "email_verified": True, "id": str(uuid4()), "role": "owner"}
    body = boss.post("/admin/users", NEW | sly | {"deleted_at": "2020-01-01"}).json()
    user = User.objects.get(pk=body["id"])
    assert (user.is_staff, user.email_verified, user.deleted_at) == (False, False, None)
    assert str(user.pk) != sly["id"]


def test_somebody_is_made_inactive(api: SignIn, boss: Api) -> None:
    body = boss.post("/admin/users", NEW | {"is_active": False}).json()
    assert body["is_active"] is False
    login = {"email": NEW["email"], "password": PASSWORD}
    refused(api().post("/auth/login", login), 401, "invalid_credentials")
    assert boss.post(f"/admin/users/{body['id']}/activate").status_code == 200
    assert api().post("/auth/login", login).status_code == 200


def test_the_event_tells_what_was_given(boss: Api) -> None:
    body = boss.post("/admin/users", NEW | {"is_active": False}).json()
    event = Event.objects.get(action="user.created")
    assert str(event.target_id) == body["id"]
    assert event.data == {"is_superuser": False, "is_active": False}


@pytest.mark.parametrize(
    "address", ["alice@example.com", "ALICE@Example.COM", "alice@\uff25xample.com"]
)
@pytest.mark.parametrize("deleted", [True, False])
def test_a_taken_address_is_a_conflict(
    boss: Api, alice: User, address: str, deleted: bool
) -> None:
    if deleted:
        assert boss.delete(f"/admin/users/{alice.pk}").status_code == 200
    answer = boss.post("/admin/users", NEW | {"email": address})
    refused(answer, 409, "address_taken")
    assert User.objects.count() == 2
    assert not mails("verify_email")
    assert not Event.objects.filter(action="user.created").exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "passwordpassword"}, "password"),
        ({"password": "New@Example.com"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": None}, "password"),
        ({"email": "nobody"}, "email"),
        ({"email": "a\r\nb@x.io"}, "email"),
        ({"email": None}, "email"),
        ({"first_name": " "}, "first_name"),
        ({"first_name": "a\0"}, "first_name"),
        ({"last_name": "x" * 151}, "last_name"),
        ({"phone_number": "12"}, "phone_number"),
        ({"locale": "xx"}, "locale"),
        ({"is_superuser": None}, "is_superuser"),
        ({"is_superuser": "maybe"}, "is_superuser"),
        ({"is_active": []}, "is_active"),
    ],
)
def test_a_bad_value_makes_nobody(boss: Api, change: Any, field: str) -> None:
    assert set(fields(boss.post("/admin/users", NEW | change))) == {field}
    assert User.objects.count() == 1


def test_every_fault_is_told_at_once(boss: Api) -> None:
    assert fields(boss.post("/admin/users", {})) == ["email", "first_name", "password"]


def test_a_password_is_taken_as_received(api: SignIn, boss: Api) -> None:
    password = f" {PASSWORD} "
    assert boss.post("/admin/users", NEW | {"password": password}).status_code == 201
    login = {"email": NEW["email"], "password": PASSWORD}
    refused(api().post("/auth/login", login), 401)
    assert api().post("/auth/login", login | {"password": password}).status_code == 200


@pytest.mark.parametrize(("mode", "number"), [("off", 0), ("optional", 1)])
def test_the_address_is_asked_about_by_mail(
    boss: Api, settings: Settings, mode: str, number: int
) -> None:
    settings.EMAIL_VERIFICATION = mode
    boss.post("/admin/users", NEW)
    assert len(mails("verify_email", to="New@Example.com")) == number


def test_where_it_must_be_verified_signing_in_waits_for_it(
    api: SignIn, boss: Api, settings: Settings
) -> None:
    settings.EMAIL_VERIFICATION = "required"
    boss.post("/admin/users", NEW)
    login = {"email": NEW["email"], "password": PASSWORD}
    refused(api().post("/auth/login", login), 403, "email_not_verified")
    link = contents("verify_email", to="New@Example.com")["link"]
    token = {"token": link.partition("#token=")[2]}
    assert api().post("/auth/email/verify", token).status_code == 200
    assert api().post("/auth/login", login).status_code == 200


def test_who_lost_the_right_meanwhile_makes_nobody(root: User, second: User) -> None:
    """The caller as the request knew them; the hash takes its time."""
    User.objects.filter(pk=second.pk).update(is_superuser=False)
    before = User.objects.count()
    with pytest.raises(PermissionDenied):
        services.create_user(by=second, is_superuser=True, **NEW)
    assert User.objects.count() == before
