"""Profiles: one's own, and everybody's for superusers."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts import departures, services
from accounts.errors import LastOwner, LastSuperuser, OwnAccount
from accounts.models import User
from audit.models import Event
from config.errors import Conflict, DomainError, NotFound, PermissionDenied
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser

pytestmark = pytest.mark.django_db


def code(answer: Any) -> str:
    return str(answer.json()["errors"][0]["code"])


# --- Who may do what ---------------------------------------------------------------

CALLS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "see me": ("GET", "/users/me", None),
    "change me": ("PATCH", "/users/me", {"first_name": "New"}),
    "see all": ("GET", "/users", None),
    "see alice": ("GET", "/users/{alice}", None),
    "change alice": ("PATCH", "/users/{alice}", {"first_name": "New"}),
    "deactivate alice": ("PATCH", "/users/{alice}", {"is_active": False}),
    "delete alice": ("DELETE", "/users/{alice}", None),
    "see nobody": ("GET", "/users/{nobody}", None),
    "delete nobody": ("DELETE", "/users/{nobody}", None),
}
#                       anonymous, stranger, self, superuser
TABLE = {
    "see me": (401, 200, 200, 200),
    "change me": (401, 200, 200, 200),
    "see all": (401, 403, 403, 200),
    "see alice": (401, 403, 200, 200),
    "change alice": (401, 403, 200, 200),
    "deactivate alice": (401, 403, 422, 200),
    "delete alice": (401, 403, 403, 200),
    "see nobody": (401, 403, 403, 404),
    "delete nobody": (401, 403, 403, 404),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("column", range(4))
def test_who_may_do_what(
    api: SignIn, alice: User, bob: User, root: User, call: str, column: int
) -> None:
    method, path, body = CALLS[call]
    caller = (None, bob, alice, root)[column]
    path = path.format(alice=alice.pk, nobody=uuid4())
    answer = api(caller).call(method, path, body)
    assert answer.status_code == TABLE[call][column]


def test_a_strange_and_an_unknown_person_look_alike(
    api: SignIn, alice: User, bob: User
) -> None:
    client = api(bob)
    known = client.get(f"/users/{alice.pk}").json()
    unknown = client.get(f"/users/{uuid4()}").json()
    assert known | {"instance": ""} == unknown | {"instance": ""}
    assert Event.objects.filter(action="access.denied").count() == 2


# --- The own profile ---------------------------------------------------------------


def test_a_profile_is_changed_and_recorded(api: SignIn, alice: User) -> None:
    changes = {
        "first_name": "Alicia",
        "last_name": "Liddell",
        "phone_number": "02 1234 5678",
        "locale": "en-US",
        "preferences": {"theme": "dark", "deep": {"list": [1, None, "ü"]}},
    }
    answer = api(alice).patch("/users/me", changes)
    assert answer.status_code == 200
    body = answer.json()
    assert body["phone_number"] == "0212345678"
    assert body["locale"] == "en-us"
    assert body["preferences"] == changes["preferences"]
    assert body["updated_at"].endswith("Z")
    assert api(alice).get("/users/me").json() == body
    assert Event.objects.get(action="user.updated").data["fields"] == sorted(changes)


def test_only_what_is_named_changes(api: SignIn, alice: User) -> None:
    client = api(alice)
    before = client.get("/users/me").json()
    assert client.patch("/users/me", {}).json() == before
    assert client.patch("/users/me").json() == before
    after = client.patch("/users/me", {"last_name": "L", "unknown": 1}).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"last_name", "updated_at"}


@pytest.mark.parametrize("empty", [None, ""])
def test_a_profile_can_be_emptied(api: SignIn, alice: User, empty: str | None) -> None:
    client = api(alice)
    client.patch("/users/me", {"last_name": "L", "phone_number": "0123456789"})
    cleared = {"last_name": empty, "phone_number": empty, "locale": empty}
    body = client.patch("/users/me", cleared).json()
    assert (body["last_name"], body["phone_number"], body["locale"]) == (None,) * 3


@pytest.mark.parametrize("field", ["is_superuser", "is_active", "email", "password"])
@pytest.mark.parametrize("value", [True, None, "", "x", {}])
def test_rights_are_refused_not_ignored(
    api: SignIn, alice: User, field: str, value: object
) -> None:
    answer = api(alice).patch("/users/me", {field: value, "first_name": "New"})
    assert answer.status_code == 422
    fault = answer.json()["errors"][0]
    assert (fault["code"], fault["field"]) == ("not_allowed", field)
    assert User.objects.get(pk=alice.pk).first_name == "Alice"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("locale", "xx"),
        ("locale", "en_US"),
        ("locale", "e"),
        ("locale", "en-" + "a" * 40),
        ("locale", "../en"),
        ("locale", 5),
        ("preferences", []),
        ("preferences", "x"),
        ("preferences", None),
        ("preferences", {"a": "\0"}),
        ("preferences", {"\0": 1}),
        ("phone_number", "x"),
        ("first_name", None),
        ("last_name", {}),
    ],
)
def test_a_bad_value_changes_nothing(
    api: SignIn, alice: User, field: str, value: object
) -> None:
    answer = api(alice).patch(
        "/users/me", {field: value, "first_name": "New"} | {field: value}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert User.objects.get(pk=alice.pk).first_name == "Alice"


def test_profile_changes_are_limited(api: SignIn, alice: User) -> None:
    client = api(alice)
    statuses = [client.patch("/users/me", {}).status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]


# --- Password change ---------------------------------------------------------------

NEW = "lantern gravel oyster tundra"
CHANGE = {"current_password": PASSWORD, "new_password": NEW}


def test_a_new_password_ends_every_other_session(api: SignIn, alice: User) -> None:
    here, there = api(alice), api(alice)
    assert here.patch("/users/me/password", CHANGE).status_code == 200
    assert here.get("/users/me").status_code == 200
    body = {"refresh_token": here.tokens.refresh_token}
    assert here.post("/auth/refresh", body).status_code == 200
    assert there.get("/users/me").status_code == 401
    old = {"email": alice.email, "password": PASSWORD}
    assert api().post("/auth/login", old).status_code == 401
    assert api().post("/auth/login", old | {"password": NEW}).status_code == 200
    assert Event.objects.filter(action="password.changed").count() == 1


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"current_password": "wrong wrong wrong"}, 403, None),
        ({"current_password": None}, 422, "current_password"),
        ({"current_password": "x" * 129}, 422, "current_password"),
        ({"new_password": "short"}, 422, "new_password"),
        ({"new_password": "alice@example.com"}, 422, "new_password"),
        ({"new_password": "x" * 129}, 422, "new_password"),
        ({"new_password": None}, 422, "new_password"),
    ],
)
def test_a_bad_change_leaves_the_password(
    api: SignIn, alice: User, change: dict[str, Any], status: int, field: str | None
) -> None:
    other = api(alice)
    answer = api(alice).patch("/users/me/password", CHANGE | change)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == field
    login = {"email": alice.email, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200
    assert other.get("/users/me").status_code == 200


@pytest.mark.parametrize("body", [{}, {"new_password": NEW}, {"password": NEW}])
def test_a_change_needs_the_current_password(
    api: SignIn, alice: User, body: dict[str, str]
) -> None:
    assert api(alice).patch("/users/me/password", body).status_code == 422


def test_wrong_current_passwords_count_as_failed_sign_ins(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"password": 100, "login": 100}
    client = api(alice)
    wrong = CHANGE | {"current_password": "wrong wrong wrong"}
    for _ in range(10):
        assert client.patch("/users/me/password", wrong).status_code == 403
    assert code(client.patch("/users/me/password", CHANGE)) == "too_many_attempts"
    login = {"email": alice.email, "password": PASSWORD}
    assert code(api().post("/auth/login", login)) == "too_many_attempts"


# --- Lists -------------------------------------------------------------------------


@pytest.fixture
def crowd(root: User) -> list[User]:
    people = [UserFactory.create(first_name=f"P{n % 3}") for n in range(12)]
    UserFactory.create(email="off@example.com", is_active=False)
    return people


def test_a_page_says_where_it_stands(api: SignIn, root: User, crowd: list[User]) -> None:
    page = api(root).get("/users?limit=5&page=3").json()
    assert page["pagination"] == {
        "total": 14,
        "page": 3,
        "page_size": 4,
        "total_pages": 3,
        "has_next": False,
        "has_prev": True,
    }
    beyond = api(root).get("/users?limit=5&page=9")
    assert (beyond.status_code, beyond.json()["data"]) == (200, [])


@pytest.mark.parametrize(
    "sort_by", ["created_at", "updated_at", "email", "first_name", "last_name"]
)
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_pages_repeat_and_drop_nobody(
    api: SignIn, root: User, crowd: list[User], sort_by: str, sort_order: str
) -> None:
    client = api(root)
    query = f"limit=4&sort_by={sort_by}&sort_order={sort_order}"
    seen = [
        row["id"]
        for page in range(1, 5)
        for row in client.get(f"/users?{query}&page={page}").json()["data"]
    ]
    assert len(seen) == len(set(seen)) == 14


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=NaN", "limit"),
        ("limit=1e3", "limit"),
        ("limit=" + "9" * 400, "limit"),
        ("page=0", "page"),
        ("page=1000001", "page"),
        ("page=" + "9" * 30, "page"),
        ("page=", "page"),
        ("sort_by=password", "sort_by"),
        ("sort_by=-user__password", "sort_by"),
        ("sort_by=email,id", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("is_active=maybe", "is_active"),
        ("is_superuser=2", "is_superuser"),
        ("search=%00", "search"),
        ("search=" + "x" * 129, "search"),
        ("search=" + "x " * 6000, "search"),
    ],
)
def test_a_bad_query_is_told(api: SignIn, root: User, query: str, field: str) -> None:
    answer = api(root).get(f"/users?{query}")
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("is_active=false", 1),
        ("is_active=true", 13),
        ("is_superuser=true", 1),
        ("search=P1", 4),
        ("search=OFF@example", 1),
        ("search=%25", 0),
        ("search=_", 0),
        ("search=%27%20OR%201=1%20--", 0),
        ("search=", 14),
        ("unknown=1", 14),
    ],
)
def test_filters_narrow_the_list(
    api: SignIn, root: User, crowd: list[User], query: str, number: int
) -> None:
    page = api(root).get(f"/users?{query}").json()
    assert page["pagination"]["total"] == number


def test_a_list_costs_three_statements_at_most(
    api: SignIn, root: User, crowd: list[User], django_assert_num_queries: Any
) -> None:
    client = api(root)
    for limit, number in ((1, 3), (100, 2)):
        with django_assert_num_queries(number):
            client.get(f"/users?limit={limit}")


# --- Rights and departures ---------------------------------------------------------


def test_deactivation_is_out_at_once_and_for_good(
    api: SignIn, alice: User, root: User
) -> None:
    device, boss = api(alice), api(root)
    answer = boss.patch(f"/users/{alice.pk}", {"is_active": False})
    assert answer.json()["is_active"] is False
    assert device.get("/users/me").status_code == 401
    boss.patch(f"/users/{alice.pk}", {"is_active": True})
    assert device.get("/users/me").status_code == 401
    actions = Event.objects.filter(target_id=alice.pk, target_type="user")
    assert list(actions.values_list("action", flat=True).order_by("id")) == [
        "user.deactivated",
        "user.activated",
    ]


def test_repeating_an_activation_changes_and_records_nothing(
    api: SignIn, alice: User, root: User
) -> None:
    boss = api(root)
    for active in (True, False, False):
        body = {"is_active": active}
        assert boss.patch(f"/users/{alice.pk}", body).status_code == 200
    assert Event.objects.filter(action="user.activated").count() == 0
    assert Event.objects.filter(action="user.deactivated").count() == 1


def test_a_deleted_person_is_nowhere_but_in_the_books(
    api: SignIn, alice: User, root: User
) -> None:
    device, boss = api(alice), api(root)
    assert boss.delete(f"/users/{alice.pk}").status_code == 200
    assert boss.delete(f"/users/{alice.pk}").status_code == 404
    assert boss.get(f"/users/{alice.pk}").status_code == 404
    assert boss.get("/users?search=alice").json()["data"] == []
    assert device.get("/users/me").status_code == 401
    row = User.objects.get(pk=alice.pk)
    assert (row.is_active, row.deleted_at is None) == (False, False)
    taken = {"email": alice.email, "password": NEW, "first_name": "A"}
    assert api().post("/auth/register", taken).status_code == 400


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"is_active": False}), ("DELETE", None)]
)
def test_nobody_shuts_themselves_out(
    api: SignIn, root: User, method: str, body: dict[str, Any] | None
) -> None:
    make_superuser(email="second@example.com")
    answer = api(root).call(method, f"/users/{root.pk}", body)
    assert (answer.status_code, code(answer)) == (403, "own_account")
    assert User.objects.get(pk=root.pk).is_active


def test_a_refused_deactivation_keeps_the_rest_of_the_change_back(
    api: SignIn, root: User
) -> None:
    body = {"is_active": False, "first_name": "New"}
    assert api(root).patch(f"/users/{root.pk}", body).status_code == 403
    assert User.objects.get(pk=root.pk).first_name == "Root"


def test_the_last_superuser_stays_even_for_an_operator(root: User) -> None:
    refused = services.deactivate_users(user_ids=[root.pk], by=None)
    assert isinstance(refused[root.pk], LastSuperuser)
    assert User.objects.get(pk=root.pk).is_active


def test_two_that_would_leave_nobody_both_stay(root: User, alice: User) -> None:
    second = make_superuser(email="second@example.com")
    ids = [root.pk, second.pk, alice.pk]
    refused = services.deactivate_users(user_ids=ids, by=None)
    assert refused.keys() == {root.pk, second.pk}
    assert not User.objects.get(pk=alice.pk).is_active


def test_the_rest_goes_when_some_cannot(root: User, alice: User) -> None:
    unknown = uuid4()
    ids = [root.pk, alice.pk, alice.pk, unknown]
    refused = services.deactivate_users(user_ids=ids, by=root)
    assert {type(refusal) for refusal in refused.values()} == {OwnAccount, NotFound}
    assert refused.keys() == {root.pk, unknown}
    assert not User.objects.get(pk=alice.pk).is_active


@pytest.mark.parametrize("active", [True, False])
def test_an_actor_who_lost_the_right_meanwhile_is_refused(
    root: User, alice: User, active: bool
) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    User.objects.filter(pk=alice.pk).update(is_active=not active)
    change = services.activate_users if active else services.deactivate_users
    with pytest.raises(PermissionDenied):
        change(user_ids=[alice.pk], by=root)
    assert User.objects.get(pk=alice.pk).is_active is not active


def test_a_guard_of_a_higher_app_is_asked_first(
    api: SignIn, alice: User, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guard(leaving: Any) -> dict[Any, DomainError]:
        return {pk: LastOwner(organizations=[{"id": "1"}]) for pk in leaving}

    monkeypatch.setattr(departures, "guards", [guard])
    answer = api(root).delete(f"/users/{alice.pk}")
    assert (answer.status_code, code(answer)) == (409, "last_owner")
    assert answer.json()["organizations"] == [{"id": "1"}]
    assert User.objects.get(pk=alice.pk).is_active


def test_rights_are_given_and_taken_by_superusers_only(
    root: User, alice: User, bob: User
) -> None:
    services.update_rights(user=alice, by=root, is_staff=True, is_superuser=True)
    assert User.objects.get(pk=alice.pk).is_superuser
    with pytest.raises(PermissionDenied):
        services.update_rights(user=bob, by=bob, is_staff=True, is_superuser=True)
    with pytest.raises(OwnAccount):
        services.update_rights(user=root, by=root, is_staff=True, is_superuser=False)
    with pytest.raises(NotFound):
        services.update_rights(user=User(), by=root, is_staff=True, is_superuser=True)
    services.update_rights(user=alice, by=root, is_staff=True, is_superuser=True)
    assert Event.objects.filter(action="user.rights_changed").count() == 1


def test_a_taken_right_acts_on_the_next_call(
    api: SignIn, alice: User, root: User
) -> None:
    services.update_rights(user=alice, by=root, is_staff=True, is_superuser=True)
    client = api(alice)
    assert client.get("/users").status_code == 200
    services.update_rights(user=alice, by=root, is_staff=False, is_superuser=False)
    assert client.get("/users").status_code == 403


# --- The first superuser -----------------------------------------------------------


@pytest.fixture
def first(settings: Settings) -> Settings:
    settings.FIRST_SUPERUSER_EMAIL = "first@example.com"
    settings.FIRST_SUPERUSER_PASSWORD = PASSWORD
    return settings


def test_the_first_superuser_is_made_once(
    first: Settings, api: SignIn, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        call_command("ensure_superuser")
    assert capsys.readouterr().out == "Superuser made.\nThe superuser is there.\n"
    user = User.objects.get()
    assert (user.is_superuser, user.is_staff, user.is_active) == (True, True, True)
    login = {"email": "FIRST@example.com", "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200


def test_without_a_name_nobody_is_made(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.FIRST_SUPERUSER_EMAIL = ""
    call_command("ensure_superuser")
    assert "not set" in capsys.readouterr().out
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIRST_SUPERUSER_PASSWORD", "admin"),
        ("FIRST_SUPERUSER_PASSWORD", "Password1234"),
        ("FIRST_SUPERUSER_EMAIL", "nonsense"),
    ],
)
def test_a_bad_first_superuser_is_refused(first: Settings, name: str, value: str) -> None:
    setattr(first, name, value)
    with pytest.raises(CommandError, match=name) as refusal:
        call_command("ensure_superuser")
    assert value not in str(refusal.value)
    assert not User.objects.exists()


def test_an_ordinary_account_is_not_lifted_up(first: Settings) -> None:
    UserFactory.create(email="First@example.com")
    with pytest.raises(CommandError):
        call_command("ensure_superuser")
    with pytest.raises(Conflict):
        services.ensure_superuser(email="first@example.com", password=PASSWORD)
    assert not User.objects.get().is_superuser


def test_passwords_of_superusers_are_not_changed_by_the_command(
    first: Settings,
) -> None:
    make_superuser(email="first@example.com", password="unchanged")
    call_command("ensure_superuser")
    assert User.objects.get().password == "unchanged"
    assert not Session.objects.exists()
