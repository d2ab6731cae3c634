"""The console's room of people: same proof, same invariants, same record as the API."""

from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from accounts import departures
from accounts.errors import LastOwner
from accounts.models import User
from audit.models import Event
from sessions_app.models import EndReason, Session
from sessions_app.services import end_all_of, start_session
from tests.accounts.console import CONFIRMED
from tests.conftest import SignIn
from tests.factories import PASSWORD, make_superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/user/"
LOGIN = "/admin/login/"


@pytest.fixture
def console(root: User) -> Client:
    client = Client(headers={"host": "testserver"})
    client.force_login(root)
    return client


def page_of(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def act(console: Client, action: str, *people: User) -> str:
    chosen = [str(person.pk) for person in people]
    body = {"action": action, "_selected_action": chosen, **CONFIRMED}
    answer = console.post(LIST, body, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def form(user: User, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "phone_number": user.phone_number,
        "locale": user.locale,
    }
    for name in ("email_verified", "is_staff", "is_superuser"):
        values[f"initial-{name}"] = str(getattr(user, name))
        if getattr(user, name):
            values[name] = "on"
    values |= changes
    return {name: value for name, value in values.items() if value is not None}


# --- Signing in --------------------------------------------------------------------


def sign_in(email: str, password: str) -> Any:
    client = Client(headers={"host": "testserver"})
    return client.post(LOGIN, {"username": email, "password": password})


def test_a_superuser_signs_in_and_out_on_record(root: User) -> None:
    client = Client(headers={"host": "testserver"})
    body = {"username": "ROOT@example.com", "password": PASSWORD}
    assert client.post(LOGIN, body).status_code == 302
    assert client.get(LIST).status_code == 200
    assert client.post("/admin/logout/").status_code == 200
    assert client.get(LIST).status_code == 302
    actions = Event.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["console.signed_in", "console.signed_out"]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("root@example.com", "wrong wrong wrong"),
        ("alice@example.com", PASSWORD),
        ("unknown@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("root@example.com", "x" * 5000),
        ("", ""),
    ],
)
def test_whoever_may_not_come_in_is_told_nothing(
    root: User, alice: User, email: str, password: str
) -> None:
    answer = sign_in(email, password)
    assert answer.status_code == 200
    assert "_auth_user_id" not in answer.client.session
    assert PASSWORD.encode() not in answer.content


def test_failures_here_and_in_the_api_are_one_count(api: SignIn, root: User) -> None:
    for _ in range(10):
        sign_in(root.email, "wrong wrong wrong")
    assert sign_in(root.email, PASSWORD).status_code == 200
    body = {"email": root.email, "password": PASSWORD}
    assert api().post("/auth/login", body, peer="").status_code == 429


def test_a_sign_in_needs_its_csrf_token(root: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "testserver"})
    body = {"username": root.email, "password": PASSWORD}
    answer = client.post(LOGIN, body)
    assert answer.status_code == 403
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("change", ["epoch", "password", "inactive", "not staff"])
def test_whoever_is_ended_is_out_of_the_console_at_once(
    console: Client, root: User, change: str
) -> None:
    assert console.get(LIST).status_code == 200
    people = User.objects.filter(pk=root.pk)
    if change == "epoch":
        end_all_of([root.pk], reason=EndReason.LOGOUT_ALL, by=root)
    elif change == "password":
        root.set_password("lantern gravel oyster tundra")
        root.save()
    elif change == "inactive":
        people.update(is_active=False)
    else:
        people.update(is_staff=False)
    assert console.get(LIST).status_code == 302


# --- People ------------------------------------------------------------------------


def test_pages_show_people_and_no_hash(console: Client, alice: User) -> None:
    for path in (LIST, f"{LIST}?q=alice", f"{LIST}?is_active__exact=1", page_of(alice)):
        answer = console.get(path)
        assert answer.status_code == 200
        assert b"alice@example.com" in answer.content
        assert b"argon2" not in answer.content


@pytest.mark.parametrize(
    "query", ["password__startswith=argon2", "email_key=x", "session_epoch__gt=0"]
)
def test_a_list_is_filtered_by_what_it_declares_only(
    console: Client, alice: User, query: str
) -> None:
    assert b"alice@example.com" not in console.get(f"{LIST}?{query}").content


def test_a_profile_is_changed_through_the_service(
    console: Client, root: User, alice: User
) -> None:
    changes = form(alice, first_name="Alicia", phone_number="+39021234567")
    assert console.post(page_of(alice), changes).status_code == 302
    changed = User.objects.get(pk=alice.pk)
    assert (changed.first_name, changed.phone_number) == ("Alicia", "+39021234567")
    event = Event.objects.get(action="user.updated")
    assert (event.actor_id, event.target_id) == (root.pk, alice.pk)


@pytest.mark.parametrize(
    ("field", "value"), [("phone_number", "x"), ("locale", "xx"), ("first_name", "")]
)
def test_a_bad_value_is_refused_here_too(
    console: Client, alice: User, field: str, value: str
) -> None:
    answer = console.post(page_of(alice), form(alice, **{field: value}))
    assert answer.status_code == 200
    assert not Event.objects.filter(action="user.updated").exists()


def test_what_is_read_only_cannot_be_forged(console: Client, alice: User) -> None:
    forged = form(
        alice,
        email="evil@example.com",
        password="x",
        is_active=None,
        session_epoch=9,
        first_name="Alicia",
    )
    console.post(page_of(alice), forged)
    after = User.objects.get(pk=alice.pk)
    assert (after.email, after.is_active) == ("alice@example.com", True)
    assert (after.password, after.session_epoch) == (alice.password, 0)


def test_rights_are_given_and_recorded(console: Client, alice: User) -> None:
    rights = {"is_staff": "on", "is_superuser": "on", **CONFIRMED}
    console.post(page_of(alice), form(alice, **rights))
    changed = User.objects.get(pk=alice.pk)
    assert (changed.is_staff, changed.is_superuser) == (True, True)
    assert Event.objects.filter(action="user.rights_changed").count() == 1


def test_nobody_takes_their_own_right(console: Client, root: User) -> None:
    make_superuser(email="second@example.com")
    taken = form(root, is_superuser=None, first_name="New", **CONFIRMED)
    answer = console.post(page_of(root), taken, follow=True)
    assert b"You cannot do this to your own account." in answer.content
    after = User.objects.get(pk=root.pk)
    assert (after.is_superuser, after.first_name) == (True, "Root")


def test_nobody_is_added_or_deleted_by_hand(console: Client, alice: User) -> None:
    assert console.get(f"{LIST}add/").status_code == 403
    path = reverse("admin:accounts_user_delete", args=[alice.pk])
    assert console.post(path, {"post": "yes"}).status_code == 403
    chosen = {"_selected_action": [str(alice.pk)], "post": "yes"}
    forged = {"action": "delete_selected", **chosen}
    assert console.post(LIST, forged).status_code == 403
    assert User.objects.filter(pk=alice.pk, is_active=True).exists()


# --- Actions -----------------------------------------------------------------------


def test_people_are_deactivated_and_let_in_again(
    console: Client, api: SignIn, alice: User
) -> None:
    device = api(alice)
    assert "1 people changed." in act(console, "deactivate", alice)
    assert device.get("/users/me").status_code == 401
    assert "1 people changed." in act(console, "activate", alice)
    assert User.objects.get(pk=alice.pk).is_active
    assert device.get("/users/me").status_code == 401


def test_what_cannot_be_done_is_told_and_the_rest_is_done(
    console: Client, root: User, alice: User
) -> None:
    told = act(console, "deactivate", root, alice)
    assert "You cannot do this to your own account." in told
    assert "1 people changed." in told
    assert User.objects.get(pk=root.pk).is_active
    assert not User.objects.get(pk=alice.pk).is_active


def test_a_soft_deletion_asks_the_guards(
    console: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departures, "guards", [lambda _: {alice.pk: LastOwner()}])
    told = act(console, "delete_softly", alice, bob)
    assert "without an active owner" in told
    assert User.objects.get(pk=alice.pk).deleted_at is None
    assert User.objects.get(pk=bob.pk).deleted_at is not None


def test_all_sessions_of_people_are_ended(console: Client, alice: User) -> None:
    start_session(user=alice)
    start_session(user=alice)
    assert "2 sessions ended." in act(console, "end_sessions", alice)
    assert not Session.objects.active().exists()


def test_an_actor_who_lost_the_right_within_the_call_is_told(
    console: Client, root: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def demoted(_: Any) -> QuerySet[User]:
        User.objects.filter(pk=root.pk).update(is_superuser=False)
        return User.objects.none()

    monkeypatch.setattr(departures, "stakes", [demoted])
    chosen = {"_selected_action": [str(alice.pk)], **CONFIRMED}
    body = {"action": "deactivate", **chosen}
    assert console.post(LIST, body).status_code == 302
    assert User.objects.get(pk=alice.pk).is_active
