"""The way back to the old address: it outlives whatever a thief does next."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from httpx import Response
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import Proof, Purpose, User
from audit.models import Event
from sessions_app.models import EndReason, Session
from tests.accounts.test_address_change import (
    NEW,
    OLD,
    OTHER,
    address,
    ask,
    confirm,
    login,
    move,
    state,
)
from tests.accounts.test_races import Deed, at_once
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails, token

pytestmark = pytest.mark.django_db

RESTORE = "/auth/email/restore"
THIRD = "third@example.net"
REGISTRATION = {"email": OLD, "password": PASSWORD, "first_name": "A"}


def restore(client: Api, link: str) -> Response:
    return client.post(RESTORE, {"token": link})


def reset(client: Api, link: str, new: str = OTHER) -> Response:
    body = {"token": link, "new_password": new}
    return client.post("/auth/password-reset/confirm", body)


@pytest.fixture(autouse=True)
def verified(alice: User) -> None:
    alice.email_verified = True
    alice.save(update_fields=["email_verified"])


@pytest.fixture
def thief(api: SignIn, alice: User) -> Api:
    """In Alice's account with her password, and has moved it to his own address."""
    thief = api(alice)
    move(thief)
    return thief


@pytest.fixture
def way_back(thief: Api) -> str:
    return token("address_changed", to=OLD)


def test_the_way_back_shuts_everybody_out_and_lets_the_old_address_in(
    api: SignIn, alice: User, thief: Api, way_back: str
) -> None:
    answer = restore(api(), way_back)
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert thief.get("/users/me").status_code == 401
    assert Session.objects.get(user=alice).end_reason == EndReason.DISOWNED
    after = User.objects.get(pk=alice.pk)
    assert (after.email, after.has_usable_password()) == (OLD, False)
    assert [login(api(), email) for email in (OLD, NEW)] == [401, 401]
    assert [mail.recipient for mail in mails("password_reset")] == [OLD]
    assert reset(api(), token("password_reset")).status_code == 200
    assert (login(api(), OLD, OTHER), login(api(), NEW, OTHER)) == (200, 401)
    event = Event.objects.get(action="email.restored")
    assert event.actor_id == event.target_id == alice.pk


def change_the_password(thief: Api, _: Api) -> None:
    body = {"current_password": PASSWORD, "new_password": OTHER}
    assert thief.patch("/users/me/password", body).status_code == 200


def reset_the_password(_: Api, anyone: Api) -> None:
    assert anyone.post("/auth/password-reset/request", {"email": NEW}).status_code == 200
    assert reset(anyone, token("password_reset", to=NEW)).status_code == 200


def move_again(thief: Api, _: Api) -> None:
    move(thief, THIRD)


def start_leaving(thief: Api, _: Api) -> None:
    body = {"current_password": PASSWORD}
    assert thief.delete("/users/me", json=body).status_code == 200


def sign_out_everywhere(thief: Api, _: Api) -> None:
    assert thief.post("/auth/logout-all").status_code == 200


@pytest.mark.usefixtures("no_rates")
@pytest.mark.parametrize(
    "deed",
    [
        change_the_password,
        reset_the_password,
        move_again,
        start_leaving,
        sign_out_everywhere,
    ],
)
def test_nothing_that_a_thief_does_closes_the_way_back(
    api: SignIn, alice: User, thief: Api, way_back: str, deed: Callable[[Api, Api], None]
) -> None:
    deed(thief, api())
    assert restore(api(), way_back).status_code == 200
    after = User.objects.get(pk=alice.pk)
    assert (after.email, after.leaving_since) == (OLD, None)
    assert not after.has_usable_password()
    assert not Session.objects.active().exists()
    assert reset(api(), token("password_reset", to=OLD)).status_code == 200
    assert login(api(), OLD, OTHER) == 200


@pytest.mark.usefixtures("no_rates")
def test_what_the_thief_was_mailed_is_dead(
    api: SignIn, alice: User, thief: Api, way_back: str
) -> None:
    """A pending reset, a pending move and a later way back would undo it all."""
    move(thief, THIRD)
    later = token("address_changed", to=NEW)
    ask(thief, "fourth@example.net")
    pending = token("confirm_address", to="fourth@example.net")
    api().post("/auth/password-reset/request", {"email": THIRD})
    lost = token("password_reset", to=THIRD)
    assert restore(api(), way_back).status_code == 200
    before = state()
    for answer in (restore(api(), later), confirm(api(), pending), reset(api(), lost)):
        refused(answer, 400, "link_invalid")
    assert (state(), address(alice)) == (before, OLD)
    assert not Proof.objects.filter(purpose=Purpose.RETURN_ADDRESS).exists()


@pytest.mark.usefixtures("no_rates")
def test_the_earlier_way_back_outlives_the_later(
    api: SignIn, alice: User, thief: Api, way_back: str
) -> None:
    """A thief who goes back one step of his own must not close the owner's."""
    move(thief, THIRD)
    assert restore(api(), token("address_changed", to=NEW)).status_code == 200
    assert address(alice) == NEW
    assert restore(api(), way_back).status_code == 200
    assert address(alice) == OLD


def test_the_way_back_works_once(api: SignIn, alice: User, way_back: str) -> None:
    assert restore(api(), way_back).status_code == 200
    before = state()
    refused(restore(api(), way_back), 400, "link_invalid")
    assert state() == before


def test_the_way_back_waits_while_an_operator_gave_the_address_away(
    api: SignIn, alice: User, way_back: str
) -> None:
    taker = UserFactory.create(email="ALICE@example.com")
    before = state()
    refused(restore(api(), way_back), 409, "address_taken")
    assert (state(), address(alice)) == (before, NEW)
    User.objects.filter(pk=taker.pk).delete()
    assert restore(api(), way_back).status_code == 200


# --- An address that is promised ---------------------------------------------------


@pytest.mark.usefixtures("no_rates", "way_back")
@pytest.mark.parametrize("spelling", [OLD, "ALICE@Example.com"])
def test_nobody_else_takes_the_address_while_there_is_a_way_back(
    api: SignIn, alice: User, bob: User, spelling: str
) -> None:
    answer = api().post("/auth/register", REGISTRATION | {"email": spelling})
    refused(answer, 400, "registration_refused")
    free = ask(api(bob), "free@example.org")
    asked = ask(api(bob), spelling)
    assert (asked.status_code, asked.content) == (200, free.content)
    [mail] = mails("confirm_address", to=spelling)
    assert mail.person_id == bob.pk
    answer = confirm(api(), token("confirm_address", to=spelling))
    refused(answer, 409, "address_taken")
    assert address(bob) == "bob@example.com"
    assert User.objects.count() == 2


@pytest.mark.usefixtures("no_rates", "way_back")
def test_where_registering_is_silent_so_is_this(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.EMAIL_VERIFICATION = "required"
    new = api().post("/auth/register", REGISTRATION | {"email": "free@example.org"})
    people, sent = User.objects.count(), len(mails())
    answer = api().post("/auth/register", REGISTRATION)
    assert (answer.status_code, answer.content) == (202, new.content)
    assert (User.objects.count(), len(mails())) == (people, sent)


def test_the_owner_returns_by_the_ordinary_way_too(api: SignIn, alice: User) -> None:
    device = api(alice)
    move(device)
    move(device, OLD)
    assert address(alice) == OLD


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("days", "back", "made"), [(6, 200, 400), (7, 400, 201)])
def test_the_way_back_lasts_a_week_and_then_the_address_is_free(
    api: SignIn, alice: User, days: int, back: int, made: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        move(api(alice))
        clock.shift(timedelta(days=days))
        assert api().post("/auth/register", REGISTRATION).status_code == made
        assert restore(api(), token("address_changed", to=OLD)).status_code == back


# --- At once -----------------------------------------------------------------------


def ask_for(user: User, new_email: str) -> Deed:
    services.request_address_change(
        user=user, new_email=new_email, current_password=PASSWORD
    )
    return partial(services.confirm_address, token=token("confirm_address", to=new_email))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(4))
def test_nobody_slips_in_at_the_instant_when_the_address_is_left(
    alice: User, bob: User, settings: Settings, turn: int
) -> None:
    settings.RATELIMIT_ENABLE = False
    register: Deed = partial(services.register_user, **REGISTRATION)
    # Asked for before Alice has it, so that Bob is mailed at all.
    User.objects.filter(pk=alice.pk).update(email_key="elsewhere")
    bobs = ask_for(bob, OLD)
    User.objects.filter(pk=alice.pk).update(email_key=OLD)
    deeds = [ask_for(User.objects.get(pk=alice.pk), NEW), register, bobs, register]
    outcomes = at_once(deeds[turn:] + deeds[:turn])
    outcomes = outcomes[-turn:] + outcomes[:-turn] if turn else outcomes
    taken = "registration_refused"
    assert outcomes == [None, taken, "address_taken", taken]
    assert (address(alice), address(bob)) == (NEW, "bob@example.com")
    assert User.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(4))
def test_nobody_slips_in_at_the_instant_of_the_return(
    alice: User, settings: Settings, turn: int
) -> None:
    settings.RATELIMIT_ENABLE = False
    ask_for(alice, NEW)()
    back: Deed = partial(services.restore_address, token=token("address_changed", to=OLD))
    register: Deed = partial(services.register_user, **REGISTRATION)
    deeds = [back, register, back, register]
    outcomes: list[Any] = at_once(deeds[turn:] + deeds[:turn])
    expected = ["None", "link_invalid", "registration_refused", "registration_refused"]
    assert sorted(map(str, outcomes)) == sorted(expected)
    assert User.objects.get().email == OLD
    assert Event.objects.filter(action="email.restored").count() == 1
    assert contents("password_reset", to=OLD)["link"]
