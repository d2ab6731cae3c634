"""What a superuser changes of a person: each field, together, and not."""

from typing import Any

import pytest

from accounts.models import User
from audit.models import Event
from tests.accounts.console import Browser
from tests.administration.changes import actions, changed, put
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.mailbox import mails

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

NEW = "moved@example.com"


# --- The profile -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("first_name", " Ada ", "Ada"),
        ("last_name", "L", "L"),
        ("last_name", None, None),
        ("last_name", "", None),
        ("phone_number", "+39 (02) 123-456", "+3902123456"),
        ("phone_number", None, None),
        ("locale", "IT", "it"),
        ("locale", "", None),
        ("is_active", False, False),
        ("is_superuser", True, True),
        ("email", " Moved@Example.com ", "Moved@Example.com"),
    ],
)
def test_each_field_changes_by_itself(
    boss: Api, field: str, value: Any, shown: Any
) -> None:
    before = {"last_name": "X", "phone_number": "0123456789", "locale": "en"}
    person = UserFactory.create(**before)
    old = boss.get(f"/admin/users/{person.pk}").json()
    new = changed(boss, person, **{field: value})
    assert new[field] == shown
    differing = {name for name in old if old[name] != new[name]}
    assert differing - {"updated_at"} == {field}
    assert boss.get(f"/admin/users/{person.pk}").json()[field] == shown


@pytest.mark.parametrize(
    "change",
    [
        {"first_name": "N"},
        {"is_active": False},
        {"is_superuser": True},
        {"email": NEW},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_says_when(boss: Api, alice: User, change: dict[str, Any]) -> None:
    new = changed(boss, alice, **change)
    assert new["updated_at"]
    assert boss.get(f"/admin/users/{alice.pk}").json() == new


@pytest.mark.parametrize("body", [{}, {"unknown": 1, "is_staff": True, "id": "x"}])
def test_nothing_asked_is_nothing_done(
    boss: Api, alice: User, body: dict[str, Any]
) -> None:
    before = boss.get(f"/admin/users/{alice.pk}").json()
    assert changed(boss, alice, **body) == before
    assert not User.objects.get(pk=alice.pk).is_staff
    assert actions() == []


RIGHTS = ("email", "is_active", "is_superuser")


def test_values_as_they_are_are_no_change_of_address_or_rights(
    boss: Api, root: User
) -> None:
    """A client that sends back all that it read, of its own account."""
    own = boss.get(f"/admin/users/{root.pk}").json()
    assert changed(boss, root, **{name: own[name] for name in RIGHTS}) == own
    assert (actions(), mails()) == ([], [])


@pytest.mark.parametrize("own", [True, False])
def test_what_is_as_it_was_is_no_change(
    boss: Api, root: User, alice: User, own: bool
) -> None:
    person = root if own else alice
    before = boss.get(f"/admin/users/{person.pk}").json()
    assert changed(boss, person, **before) == before
    assert actions() == []


def test_one_s_own_profile_changes(boss: Api, root: User) -> None:
    assert changed(boss, root, first_name="N", is_active=True)["first_name"] == "N"
    assert actions() == ["user.updated"]


@pytest.mark.parametrize("right", ["is_active", "is_superuser"])
def test_one_s_own_rights_stay_with_all_the_rest(
    boss: Api, root: User, second: User, right: str
) -> None:
    answer = put(boss, root, first_name="N", email=NEW, **{right: False})
    refused(answer, 403, "own_account")
    row = User.objects.get(pk=root.pk)
    assert (row.first_name, row.email) == ("Root", "root@example.com")
    assert (actions(), mails()) == (["access.denied"], [])


@pytest.mark.parametrize("value", ["a long enough password", "", None, {}])
def test_nobody_chooses_anothers_password(boss: Api, alice: User, value: Any) -> None:
    answer = put(boss, alice, password=value, first_name="N")
    assert fields(answer) == ["password"]
    row = User.objects.get(pk=alice.pk)
    assert (row.password, row.first_name) == (alice.password, "Alice")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", ""),
        ("email", "nobody"),
        ("email", "a\0b@x.io"),
        ("email", "x" * 255),
        ("first_name", None),
        ("first_name", " "),
        ("first_name", "x" * 151),
        ("last_name", "a\nb"),
        ("phone_number", "12"),
        ("locale", "xx"),
        ("is_active", None),
        ("is_active", "maybe"),
        ("is_superuser", None),
        ("is_superuser", {}),
    ],
)
def test_a_bad_value_changes_nothing(
    boss: Api, alice: User, field: str, value: Any
) -> None:
    answer = put(boss, alice, **{"first_name": "N", "is_superuser": True, field: value})
    assert set(fields(answer)) == {field}
    row = User.objects.get(pk=alice.pk)
    assert (row.first_name, row.is_superuser) == ("Alice", False)
    assert actions() == []


# --- The right ---------------------------------------------------------------------


def test_a_right_opens_and_shuts_the_console(api: SignIn, boss: Api, alice: User) -> None:
    browser, device = Browser(api()), api(alice)
    changed(boss, alice, is_superuser=True)
    browser.sign_in(alice.email)
    assert browser.is_in
    assert device.get("/admin/users").status_code == 200
    changed(boss, alice, is_superuser=False)
    assert not browser.is_in
    refused(device.get("/admin/users"), 403)
    assert not User.objects.get(pk=alice.pk).is_staff
    given = Event.objects.filter(action="user.rights_changed").order_by("pk")
    assert [event.data["is_superuser"] for event in given] == [True, False]


def test_a_superuser_is_demoted_and_shut_out_in_one(
    api: SignIn, boss: Api, second: User
) -> None:
    device = api(second)
    new = changed(boss, second, is_superuser=False, is_active=False)
    assert (new["is_superuser"], new["is_active"]) == (False, False)
    refused(device.get("/users/me"), 401)
    assert sorted(actions()) == [
        "session.ended",
        "user.deactivated",
        "user.rights_changed",
    ]
