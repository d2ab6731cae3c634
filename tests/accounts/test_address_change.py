"""From one address to another: who asks, who is mailed, and who has it in the end."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from httpx import Response
from pytest_django.fixtures import Settings

from accounts import services
from accounts.hashers import Argon2idHasher
from accounts.models import Proof, User
from audit.models import Event, Outcome
from outbox.models import Mail
from outbox.sealing import unseal
from tests.accounts.test_races import at_once
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

CHANGE = "/users/me/email"
CONFIRM = "/auth/email/confirm"
OLD = "alice@example.com"
NEW = "new@example.org"
OTHER = "plum otter canvas meadow"
WRONG = "wrong wrong wrong"


def ask(client: Api, new: Any = NEW, password: str = PASSWORD) -> Response:
    return client.post(CHANGE, {"new_email": new, "current_password": password})


def confirm(client: Api, link: str) -> Response:
    return client.post(CONFIRM, {"token": link})


def move(client: Api, new: str = NEW, password: str = PASSWORD) -> None:
    """All the way, by a client that is signed in."""
    assert ask(client, new, password).status_code == 200
    assert confirm(client, token("confirm_address", to=new)).status_code == 200


def login(client: Api, email: str, password: str = PASSWORD, **kwargs: Any) -> int:
    body = {"email": email, "password": password}
    return client.post("/auth/login", body, **kwargs).status_code


def address(user: User) -> str:
    return User.objects.get(pk=user.pk).email


def state() -> list[Any]:
    rows = (User, Proof, Mail)
    return [list(model._base_manager.order_by("pk").values()) for model in rows]


# --- Asking ------------------------------------------------------------------------


def test_the_link_goes_to_the_new_address_and_to_no_other(
    api: SignIn, alice: User
) -> None:
    answer = ask(api(alice), f" {NEW} ")
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(mail.kind, mail.recipient) for mail in mails()] == [
        ("accounts.confirm_address", NEW)
    ]
    link = contents("confirm_address")["link"]
    assert link.startswith("https://app.example.com/confirm-email#token=")
    event = Event.objects.get(action="email.change_requested")
    assert event.actor_id == event.target_id == alice.pk
    assert address(alice) == OLD


def test_until_it_is_confirmed_the_old_address_is_the_one(
    api: SignIn, alice: User
) -> None:
    """Checks 103."""
    ask(api(alice))
    assert (login(api(), OLD), login(api(), NEW)) == (200, 401)
    for email in (OLD, NEW):
        api().post("/auth/password-reset/request", {"email": email})
    assert [mail.recipient for mail in mails("password_reset")] == [OLD]
    profile = api(alice).get("/users/me").json()
    assert (profile["email"], profile["email_verified"]) == (OLD, False)


def test_nobody_asks_without_the_password(api: SignIn, alice: User) -> None:
    before = state()
    refused(ask(api(alice), password=WRONG), 403, "wrong_password")
    assert ask(api()).status_code == 401
    assert state() == before
    denied = Event.objects.get(action="access.denied")
    assert (denied.actor_id, denied.outcome) == (alice.pk, Outcome.DENIED)
    assert not Event.objects.filter(action="email.change_requested").exists()


@pytest.mark.usefixtures("no_rates")
def test_wrong_passwords_count_with_the_failed_sign_ins(api: SignIn, alice: User) -> None:
    device = api(alice)
    for _ in range(5):
        refused(ask(device, password=WRONG), 403, "wrong_password")
        assert login(api(), OLD, WRONG) == 401
    refused(ask(device), 429, "too_many_attempts")
    assert login(api(), OLD) == 429
    assert mails() == []
    assert Event.objects.filter(action="sign_in.blocked").count() == 1


@pytest.mark.parametrize(
    "email", ["", "new", "@x.io", "a@b\r\nBcc: x@y.io", "a\0@b.io", "a" * 300, None, []]
)
def test_what_is_no_address_is_refused(api: SignIn, alice: User, email: Any) -> None:
    assert fields(ask(api(alice), email)) == ["new_email"]
    assert mails() == []


@pytest.mark.usefixtures("no_rates")
def test_whoever_asks_does_not_learn_whether_the_address_is_known(
    api: SignIn, alice: User, bob: User
) -> None:
    device = api(alice)
    free, known = ask(device), ask(device, "BOB@example.com")
    assert (free.status_code, free.content) == (known.status_code, known.content)
    assert [(mail.kind, mail.recipient) for mail in mails()] == [
        ("accounts.confirm_address", NEW),
        ("accounts.account_exists", bob.email),
    ]
    assert Event.objects.filter(action="email.change_requested").count() == 2
    assert not Proof.objects.filter(user=bob).exists()


def test_whoever_is_shut_out_is_not_written_to(api: SignIn, alice: User) -> None:
    """As when registering, and when asking for a new password."""
    UserFactory.create(email=NEW, is_active=False)
    assert ask(api(alice)).status_code == 200
    assert mails("account_exists") == []


@pytest.mark.usefixtures("no_rates")
def test_nobody_is_flooded(api: SignIn, alice: User, bob: User) -> None:
    device, another = api(alice), api(UserFactory.create())
    for email, kind in ((NEW, "confirm_address"), (bob.email, "account_exists")):
        for asking in (device, another, device, another, device):
            assert ask(asking, email).status_code == 200
        assert len(mails(kind)) == 3


# --- Confirming --------------------------------------------------------------------


def test_once_confirmed_the_new_address_is_the_one(api: SignIn, alice: User) -> None:
    device = api(alice)
    ask(device)
    answer = confirm(api(), token("confirm_address"))
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert (login(api(), NEW), login(api(), OLD)) == (200, 401)
    profile = device.get("/users/me").json()
    assert (profile["email"], profile["email_verified"]) == (NEW, True)
    event = Event.objects.get(action="email.changed")
    assert event.actor_id == event.target_id == alice.pk


def test_the_old_address_is_told_without_the_whole_new_one(
    api: SignIn, alice: User
) -> None:
    move(api(alice))
    [notice] = mails("address_changed")
    assert notice.recipient == OLD
    said = unseal(notice.sealed)
    assert said["new_email"] == "n***@example.org"
    assert NEW not in str(said)
    assert said["link"].startswith("https://app.example.com/restore-email#token=")


def test_a_link_works_once_and_only_the_newest(api: SignIn, alice: User) -> None:
    device = api(alice)
    ask(device, "older@example.org")
    older = token("confirm_address")
    ask(device)
    newer = token("confirm_address")
    refused(confirm(api(), older), 400, "link_invalid")
    assert confirm(api(), newer).status_code == 200
    before = state()
    refused(confirm(api(), newer), 400, "link_invalid")
    assert (state(), address(alice)) == (before, NEW)


def test_a_link_dies_with_the_password(api: SignIn, alice: User) -> None:
    """What a thief asked for must not come true after the owner has cleaned up."""
    device = api(alice)
    ask(device)
    body = {"current_password": PASSWORD, "new_password": OTHER}
    assert device.patch("/users/me/password", body).status_code == 200
    refused(confirm(api(), token("confirm_address")), 400, "link_invalid")
    assert address(alice) == OLD


def test_a_link_asked_for_while_the_password_changes_is_dead_as_well(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner changes the password while the thief's old one is verified."""
    device = api(alice)
    verify = Argon2idHasher.verify

    def overtaken(hasher: Any, password: str, encoded: str) -> bool:
        right = verify(hasher, password, encoded)
        encoded = make_password(OTHER)
        User.objects.filter(pk=alice.pk).update(password=encoded, session_epoch=1)
        return right

    monkeypatch.setattr(Argon2idHasher, "verify", overtaken)
    asked = ask(device)
    monkeypatch.undo()
    if asked.status_code == 200 and mails("confirm_address"):
        refused(confirm(api(), token("confirm_address")), 400, "link_invalid")
    assert address(alice) == OLD
    assert login(api(), OLD, OTHER) == 200


@pytest.mark.parametrize("spelling", [NEW, "New@EXAMPLE.org"])
def test_an_address_taken_meanwhile_is_refused_and_nothing_changes(
    api: SignIn, alice: User, spelling: str
) -> None:
    ask(api(alice))
    link = token("confirm_address")
    taker = UserFactory.create(email=spelling)
    before = state()
    refused(confirm(api(), link), 409, "address_taken")
    assert (state(), address(alice)) == (before, OLD)
    assert not Event.objects.filter(action="email.changed").exists()
    User.objects.filter(pk=taker.pk).delete()
    assert confirm(api(), link).status_code == 200


@pytest.mark.parametrize("new", ["Alice@Example.com", OLD])
def test_another_spelling_of_the_same_address_needs_no_way_back(
    api: SignIn, alice: User, new: str
) -> None:
    move(api(alice), new)
    assert address(alice) == new
    assert mails("address_changed") == []
    assert not Proof.objects.exists()
    assert login(api(), OLD) == 200


# --- At once -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_six_who_want_one_address_at_once_one_has_it(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    people = UserFactory.create_batch(6)
    links = []
    for number, person in enumerate(people):
        new = NEW if number % 2 else "NEW@example.org"
        services.request_address_change(
            user=person, new_email=new, current_password=PASSWORD
        )
        links.append(token("confirm_address"))
    outcomes = at_once([partial(services.confirm_address, token=link) for link in links])
    assert sorted(map(str, outcomes)) == ["None"] + ["address_taken"] * 5
    winner = people[outcomes.index(None)]
    assert User.objects.get(email__iexact=NEW) == winner
    assert {address(person) for person in people} >= {
        person.email for person in people if person != winner
    }
    assert Event.objects.filter(action="email.changed").count() == 1
    assert [mail.recipient for mail in mails("address_changed")] == [winner.email]


@pytest.mark.django_db(transaction=True)
def test_one_link_followed_by_ten_at_once_is_one_change(alice: User) -> None:
    services.request_address_change(user=alice, new_email=NEW, current_password=PASSWORD)
    confirmation = partial(services.confirm_address, token=token("confirm_address"))
    outcomes = at_once([confirmation] * 10)
    assert sorted(map(str, outcomes)) == ["None"] + ["link_invalid"] * 9
    assert Event.objects.filter(action="email.changed").count() == 1
    assert len(mails("address_changed")) == 1
