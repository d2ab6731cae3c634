"""What a change of password ends, and what it leaves alone."""

from typing import Any

import pytest

from accounts import services
from accounts.models import User
from audit.models import Event
from sessions_app.errors import SessionEnded
from sessions_app.models import EndReason, Session
from sessions_app.services import start_session
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser

pytestmark = pytest.mark.django_db

PATH = "/users/me/password"
NEW = "lantern gravel oyster tundra"
CHANGE = {"current_password": PASSWORD, "new_password": NEW}
WRONG = CHANGE | {"current_password": "wrong wrong wrong"}


def stored(user: User) -> str:
    return User.objects.get(pk=user.pk).password


def test_a_change_says_so_and_hands_out_nothing(api: SignIn, alice: User) -> None:
    answer = api(alice).patch(PATH, CHANGE)
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.json()["success"] is True
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_other_device_is_out_for_that_reason_and_nobody_else(
    api: SignIn, alice: User, bob: User
) -> None:
    here, there, strangers = api(alice), api(alice), api(bob)
    other = there.session
    assert here.patch(PATH, CHANGE).status_code == 200
    assert Session.objects.get(pk=other.pk).end_reason == EndReason.PASSWORD
    spent = {"refresh_token": there.tokens.refresh_token}
    assert there.post("/auth/refresh", spent).status_code == 401
    assert [d.get("/users/me").status_code for d in (here, there, strangers)] == [
        200,
        401,
        200,
    ]
    ended = Event.objects.get(action="session.ended")
    assert (ended.target_id, ended.actor_id) == (other.pk, alice.pk)


def test_the_device_goes_on_with_both_of_its_tokens(api: SignIn, alice: User) -> None:
    here = api(alice)
    here.patch(PATH, CHANGE)
    answer = here.post("/auth/refresh", {"refresh_token": here.tokens.refresh_token})
    fresh = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert api().get("/users/me", headers=fresh).status_code == 200
    again = {"current_password": NEW, "new_password": PASSWORD}
    assert here.patch(PATH, again).status_code == 200


def test_it_ends_the_console_too(api: SignIn, root: User) -> None:
    browser = Browser(api())
    browser.sign_in(root.email)
    assert browser.is_in
    assert api(root).patch(PATH, CHANGE).status_code == 200
    assert not browser.is_in


def test_a_sign_in_that_proved_the_old_password_comes_too_late(
    alice: User, db: None
) -> None:
    """Checks 101, S10: what was proved before the change begins no session after it."""
    proved = services.verify_credentials(email=alice.email, password=PASSWORD)
    keep = Session.objects.get(user=start_session(user=alice).user).pk
    services.change_password(
        user=alice, current_password=PASSWORD, new_password=NEW, keep=keep
    )
    with pytest.raises(SessionEnded):
        start_session(user=proved)
    assert Session.objects.count() == 1


def test_a_refused_change_is_recorded_as_a_denial(api: SignIn, alice: User) -> None:
    answer = api(alice).patch(PATH, WRONG)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "wrong_password"
    event = Event.objects.get(action="access.denied")
    assert (event.actor_id, event.data["code"]) == (alice.pk, "wrong_password")
    assert stored(alice) == alice.password
    assert not Event.objects.filter(action="password.changed").exists()


def test_somebody_elses_password_is_not_the_current_one(api: SignIn, alice: User) -> None:
    bob = UserFactory.create()
    assert api(bob).patch(PATH, CHANGE | {"new_password": PASSWORD}).status_code == 200
    own = api(alice)
    assert own.patch(PATH, CHANGE | {"current_password": NEW}).status_code == 403
    assert stored(alice) == alice.password


def test_without_a_usable_password_there_is_none_to_prove(
    api: SignIn, alice: User
) -> None:
    alice.set_unusable_password()
    alice.save()
    for current in ("!", alice.password, PASSWORD):
        change = CHANGE | {"current_password": current}
        assert api(alice).patch(PATH, change).status_code == 403
    assert stored(alice) == alice.password


def test_nobody_anonymous_changes_anything(api: SignIn, alice: User) -> None:
    answer = api().patch(PATH, CHANGE)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert stored(alice) == alice.password


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_there_is_one_way_to_call_it(api: SignIn, alice: User, method: str) -> None:
    assert api(alice).call(method, PATH, CHANGE).status_code == 405
    assert stored(alice) == alice.password


@pytest.mark.parametrize("path", ["/users/me", "/users/{alice}"])
@pytest.mark.parametrize("by_superuser", [False, True])
@pytest.mark.parametrize("name", ["password", "new_password", "current_password"])
def test_no_other_call_sets_a_password(
    api: SignIn, alice: User, path: str, by_superuser: bool, name: str
) -> None:
    caller = make_superuser(email="boss@example.com") if by_superuser else alice
    before = stored(caller), stored(alice)
    body: dict[str, Any] = {name: NEW}
    answer = api(caller).patch(path.format(alice=alice.pk), body)
    assert answer.status_code == (422 if name == "password" else 200)
    assert (stored(caller), stored(alice)) == before


def test_bad_rules_are_told_only_to_whoever_knows_the_password(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    answer = api(alice).patch(PATH, WRONG | {"new_password": "short"})
    assert answer.status_code == 403
    assert hashings == ["verify"]


@pytest.mark.usefixtures("no_rates")
def test_a_known_device_changes_the_password_while_others_guess(
    api: SignIn, alice: User
) -> None:
    """The person who sees the attack must be able to answer it (checks 32)."""
    device = api(alice)
    body = {"email": alice.email, "password": PASSWORD}
    assert api().post("/auth/login", body).status_code == 200
    for number in range(55):
        wrong = body | {"password": "wrong wrong wrong"}
        api().post("/auth/login", wrong, peer=f"203.0.113.{number}")
    assert api().post("/auth/login", body, peer="203.0.113.200").status_code == 429
    assert device.patch(PATH, CHANGE).status_code == 200
