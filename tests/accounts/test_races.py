"""People at the same instant: threads of one process, each with its own connection."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import User
from audit.models import Event
from config.errors import DomainError
from sessions_app.models import Session
from sessions_app.services import Tokens, start_session
from tests.factories import PASSWORD, UserFactory, make_superuser

pytestmark = pytest.mark.django_db(transaction=True)

Deed = Callable[[], Any]
NEW = "plum otter canvas meadow"


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


def at_once(deeds: Sequence[Deed]) -> list[Any]:
    """What each comes to, or the refusal that it raised; anything else is a defect."""
    start = Barrier(len(deeds))

    def run(deed: Deed) -> Any:
        start.wait()
        try:
            return deed()
        except DomainError as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(run, deeds))


def anew(user: User) -> User:
    return User.objects.get(pk=user.pk)


def happened(action: str) -> int:
    return Event.objects.filter(action=action).count()


# --- Registering -------------------------------------------------------------------


def registration(email: str) -> Deed:
    return lambda: services.register_user(email=email, password=PASSWORD, first_name="A")


def test_registrations_of_one_address_make_one_account() -> None:
    spellings = ["dana@example.com", "DANA@example.com", "Dana@EXAMPLE.com"] * 4
    made = at_once([registration(email) for email in spellings])
    assert made.count("registration_refused") == len(spellings) - 1
    assert User.objects.count() == happened("user.registered") == 1


def test_registrations_of_several_addresses_all_succeed() -> None:
    made = at_once([registration(f"p{number}@example.com") for number in range(10)])
    assert {user.email for user in made} == {
        f"p{number}@example.com" for number in range(10)
    }
    assert User.objects.count() == happened("user.registered") == 10


def test_starts_at_once_make_one_superuser(settings: Settings) -> None:
    settings.FIRST_SUPERUSER_EMAIL = "first@example.com"
    settings.FIRST_SUPERUSER_PASSWORD = PASSWORD
    at_once([partial(call_command, "ensure_superuser", verbosity=0)] * 6)
    assert User.objects.get().is_superuser
    assert happened("user.registered") == 1


def test_whoever_registers_while_the_superuser_is_made_is_not_lifted_up() -> None:
    ensure: Deed = partial(
        services.ensure_superuser, email="first@example.com", password=PASSWORD
    )
    for number in range(4):
        User.objects.all().delete()
        deeds = [ensure, registration("First@example.com")]
        outcomes = at_once(deeds[:: 1 if number % 2 else -1])
        user = User.objects.get()
        assert user.is_superuser is ("registration_refused" in outcomes)
        assert user.is_superuser is (True in outcomes)
        assert ("conflict" in outcomes) is not user.is_superuser


# --- Passwords ---------------------------------------------------------------------


def password_change(user: User, new: str) -> Deed:
    pair = start_session(user=user)
    keep = Session.objects.filter(user=pair.user).latest("pk").pk
    return lambda: services.change_password(
        user=user, current_password=PASSWORD, new_password=new, keep=keep
    )


def test_of_changes_that_proved_the_same_password_one_wins(alice: User) -> None:
    passwords = [f"{NEW} {number}" for number in range(6)]
    outcomes = at_once([password_change(alice, new) for new in passwords])
    assert sorted(map(str, outcomes)) == ["None"] + ["wrong_password"] * 5
    winner = passwords[outcomes.index(None)]
    assert anew(alice).check_password(winner)
    assert Session.objects.active().count() == happened("password.changed") == 1


@pytest.mark.parametrize("scheme", ["pbkdf2_sha256", "argon2"])
def test_an_upgrade_of_a_hash_never_brings_an_old_password_back(
    alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The person changes the password while a sign-in with the old one is verified."""
    old = make_password(PASSWORD, hasher="pbkdf2_sha256")
    User.objects.filter(pk=alice.pk).update(password=old)
    verify = PBKDF2PasswordHasher.verify

    def overtaken(hasher: Any, password: str, encoded: str) -> bool:
        right = verify(hasher, password, encoded)
        User.objects.filter(pk=alice.pk).update(
            password=make_password(NEW, hasher=scheme), session_epoch=1
        )
        return right

    monkeypatch.setattr(PBKDF2PasswordHasher, "verify", overtaken)
    proved = services.verify_credentials(email=alice.email, password=PASSWORD)
    monkeypatch.undo()
    assert anew(alice).check_password(NEW)
    assert not anew(alice).check_password(PASSWORD)
    assert at_once([lambda: start_session(user=proved)]) == ["session_ended"]


def test_sign_ins_at_once_upgrade_a_hash_and_all_succeed(alice: User) -> None:
    alice.password = make_password(PASSWORD, hasher="bcrypt")
    alice.save()
    sign_in = partial(services.sign_in, email=alice.email, password=PASSWORD)
    outcomes = at_once([sign_in] * 4)
    assert all(isinstance(outcome, Tokens) for outcome in outcomes)
    assert anew(alice).password.startswith("argon2$")


def test_guesses_at_once_do_not_slip_past_the_count(
    alice: User, settings: Settings
) -> None:
    """Counted before the hash, or all twenty would be tried (checks 25)."""
    settings.RATELIMIT_ENABLE = True
    guess = partial(
        services.verify_credentials, email=alice.email, password="wrong wrong wrong"
    )
    outcomes = at_once([guess] * 20)
    assert outcomes.count("invalid_credentials") == 10
    assert outcomes.count("too_many_attempts") == 10
    assert (happened("sign_in.failed"), happened("sign_in.blocked")) == (10, 1)


# --- Leaving and rights ------------------------------------------------------------


def test_superusers_who_shut_each_other_out_leave_one() -> None:
    for _ in range(4):
        User.objects.all().delete()
        one, two = (UserFactory.create(is_superuser=True) for _ in range(2))
        outcomes = at_once(
            [
                partial(services.delete_user, user_id=other.pk, by=actor)
                for actor, other in ((one, two), (two, one))
            ]
        )
        assert sorted(map(str, outcomes)) == ["None", "permission_denied"]
        assert User.objects.active_superusers().count() == 1


def test_superusers_who_demote_each_other_leave_one() -> None:
    for _ in range(4):
        User.objects.all().delete()
        people = [make_superuser() for _ in range(3)]
        demotions = [
            partial(
                services.update_rights,
                user=other,
                by=actor,
                is_staff=False,
                is_superuser=False,
            )
            for actor, other in zip(people, people[1:] + people[:1], strict=True)
        ]
        outcomes = at_once(demotions)
        left = User.objects.active_superusers().count()
        assert left >= 1
        assert outcomes.count(None) == 3 - left


def test_operators_who_deactivate_all_superusers_leave_one() -> None:
    people = [make_superuser().pk for _ in range(4)]
    deeds: list[Deed] = [
        partial(services.deactivate_users, user_ids=[pk], by=None) for pk in people
    ]
    outcomes = at_once(deeds)
    assert sum(not refused for refused in outcomes) == 3
    assert User.objects.active_superusers().count() == 1


def test_deletions_of_one_person_are_one(alice: User) -> None:
    boss = make_superuser()
    start_session(user=alice)
    outcomes = at_once([partial(services.delete_user, user_id=alice.pk, by=boss)] * 6)
    assert sorted(map(str, outcomes)) == ["None"] + ["not_found"] * 5
    assert happened("user.deleted") == happened("session.ended") == 1


def test_deactivations_and_activations_agree_with_their_events(alice: User) -> None:
    boss = make_superuser()
    deeds: list[Deed] = [
        partial(change, user_ids=[alice.pk], by=boss)
        for change in (services.deactivate_users, services.activate_users)
    ]
    at_once(deeds * 4)
    difference = happened("user.deactivated") - happened("user.activated")
    assert difference == (0 if anew(alice).is_active else 1)


def test_deactivations_of_overlapping_people_in_any_order_never_wait_for_each_other() -> (
    None
):
    boss = make_superuser()
    ids = [UserFactory.create().pk for _ in range(8)]
    orders = [ids, ids[::-1], ids[::2] + ids[1::2], ids[4:] + ids[:4]]
    deeds: list[Deed] = [
        partial(services.deactivate_users, user_ids=order, by=boss) for order in orders
    ]
    assert at_once(deeds) == [{}] * 4
    assert happened("user.deactivated") == 8


def test_changes_of_several_fields_at_once_all_stay(alice: User) -> None:
    changes: list[dict[str, Any]] = [
        {"first_name": "Alicia"},
        {"last_name": "L"},
        {"locale": "it"},
        {"preferences": {"a": 1}},
        {"phone_number": "+3902123456"},
    ]
    at_once(
        [
            partial(services.update_profile, user=anew(alice), by=alice, **change)
            for change in changes
        ]
    )
    after = anew(alice)
    for change in changes:
        for name, value in change.items():
            assert getattr(after, name) == value
