"""Threads of one process, each with a connection of its own, at the same instant."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as configured
from django.db import connection
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import User
from audit.models import Event
from config.errors import DomainError
from sessions_app import services, tokens
from sessions_app.lookup import find_session
from sessions_app.models import EndReason, Session, absolute_end
from sessions_app.services import Tokens
from tests.factories import PASSWORD
from tests.sessions_app.forge import claims_of

pytestmark = [pytest.mark.django_db(transaction=True)]

ROUNDS = 3
THREADS = 30
Deed = Callable[[], Any]


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    """More at once than a minute allows."""
    settings.RATELIMIT_ENABLE = False


def at_once(deeds: Sequence[Deed]) -> list[Any]:
    """What each comes to, or the refusal that it raised; anything else is a defect."""
    start = Barrier(len(deeds))

    def run(deed: Deed) -> Any:
        start.wait()
        try:
            return deed()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(run, deeds))


def pairs(outcomes: Sequence[Any]) -> list[Tokens]:
    return [outcome for outcome in outcomes if isinstance(outcome, Tokens)]


def codes(outcomes: Sequence[Any]) -> set[str]:
    return {outcome.code for outcome in outcomes if isinstance(outcome, DomainError)}


def lets_in(pair: Tokens) -> bool:
    claims = tokens.read(pair.access_token, tokens.ACCESS)
    session = find_session(session_id=claims.session_id, user_id=claims.user_id)
    return session is not None and session.lets_in(datetime.now(UTC))


def session_of(pair: Tokens) -> Session:
    return Session.objects.get(pk=UUID(claims_of(pair.refresh_token)["sid"]))


def rotation(token: str) -> Deed:
    return partial(services.rotate_session, refresh_token=token)


# --- Rotations ---------------------------------------------------------------------


def test_thirty_rotations_of_one_token_are_one(alice: User) -> None:
    token = services.start_session(user=alice).refresh_token
    for number in range(1, ROUNDS + 1):
        made = at_once([rotation(token)] * THREADS)
        assert len(pairs(made)) == THREADS
        successors = {pair.refresh_token for pair in made}
        assert len(successors) == 1
        assert all(lets_in(pair) for pair in made)
        session = Session.objects.get()
        assert (session.rotations, session.ended_at) == (number, None)
        [token] = successors - {token}
    assert services.rotate_session(refresh_token=token)


def test_a_stolen_token_presented_by_many_is_one_theft(alice: User) -> None:
    first = services.start_session(user=alice).refresh_token
    second = services.rotate_session(refresh_token=first).refresh_token
    services.rotate_session(refresh_token=second)
    outcomes = at_once([rotation(first)] * 10)
    assert codes(outcomes) <= {"refresh_token_reused", "session_ended"}
    assert not pairs(outcomes)
    assert Session.objects.get().end_reason == EndReason.REUSE
    for action in ("session.ended", "session.refresh_reuse"):
        assert Event.objects.filter(action=action).count() == 1


def test_owner_and_thief_at_one_instant_leave_no_living_token(alice: User) -> None:
    for _ in range(ROUNDS):
        first = services.start_session(user=alice).refresh_token
        second = services.rotate_session(refresh_token=first).refresh_token
        third = services.rotate_session(refresh_token=second)
        deeds = [rotation(third.refresh_token)] * 5 + [rotation(first)] * 5
        outcomes = at_once(deeds)
        assert codes(outcomes) <= {"refresh_token_reused", "session_ended"}
        assert session_of(third).end_reason == EndReason.REUSE
        assert not any(lets_in(pair) for pair in [third, *pairs(outcomes)])


# --- Endings -----------------------------------------------------------------------


def log_out(pair: Tokens) -> Deed:
    return lambda: services.log_out(session=session_of(pair))


def end_all(user: User) -> Deed:
    return lambda: services.end_all_of([user.pk], reason=EndReason.LOGOUT_ALL, by=user)


def deactivate(user: User) -> Deed:
    return lambda: accounts.deactivate_users(user_ids=[user.pk], by=None)


def end_everything(_: User) -> Deed:
    return services.end_everybodys_sessions


ENDINGS = [end_all, deactivate, end_everything]


def test_a_logout_among_rotations_has_the_last_word(alice: User) -> None:
    for _ in range(ROUNDS):
        pair = services.start_session(user=alice)
        deeds = [rotation(pair.refresh_token)] * 10 + [log_out(pair)] * 2
        outcomes = at_once(deeds)
        assert codes(outcomes) <= {"session_ended"}
        assert session_of(pair).end_reason == EndReason.LOGOUT
        assert not any(lets_in(made) for made in [pair, *pairs(outcomes)])
        ended = Event.objects.filter(
            action="session.ended", target_id=session_of(pair).pk
        )
        assert ended.count() == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_end_of_everything_among_rotations_and_sign_ins_has_the_last_word(
    alice: User, ending: Callable[[User], Deed]
) -> None:
    """Whoever proved the password before it comes in too late, or is thrown out."""
    proved = User.objects.get(pk=alice.pk)
    before = [services.start_session(user=proved) for _ in range(4)]
    deeds = [rotation(pair.refresh_token) for pair in before] * 2
    deeds += [lambda: services.start_session(user=proved)] * 8
    deeds.insert(8, ending(alice))
    outcomes = at_once(deeds)
    assert codes(outcomes) <= {"session_ended"}
    assert not any(lets_in(pair) for pair in [*before, *pairs(outcomes)])
    assert not Session.objects.active().exists()
    begun = Event.objects.filter(action="session.started").count()
    assert begun == Session.objects.count()


def test_a_new_password_among_sign_ins_with_the_old_one_spares_its_own_device(
    alice: User,
) -> None:
    proved = User.objects.get(pk=alice.pk)
    own, other = (services.start_session(user=proved) for _ in range(2))

    def change() -> None:
        accounts.change_password(
            user=proved,
            current_password=PASSWORD,
            new_password="walnut harbour sixteen lamps",
            keep=session_of(own).pk,
        )

    deeds: list[Deed] = [lambda: services.start_session(user=proved)] * 8
    outcomes = at_once([*deeds, change, rotation(other.refresh_token)])
    assert codes(outcomes) <= {"session_ended"}
    assert lets_in(own)
    assert services.rotate_session(refresh_token=own.refresh_token)
    assert not any(lets_in(pair) for pair in [other, *pairs(outcomes)])


def test_two_devices_that_end_the_others_leave_one_at_most(alice: User) -> None:
    for _ in range(ROUNDS):
        devices = [services.start_session(user=_anew(alice)) for _ in range(4)]
        ids = [session_of(pair).pk for pair in devices]
        deeds: list[Deed] = [
            partial(
                services.end_all_of,
                [alice.pk],
                reason=EndReason.REVOKED,
                by=alice,
                keep=pk,
            )
            for pk in ids[:2]
        ]
        assert sum(at_once(deeds)) >= 3
        assert sum(lets_in(pair) for pair in devices) <= 1
        assert not any(lets_in(pair) for pair in devices[2:])


def _anew(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_ends_of_overlapping_sessions_are_counted_once(alice: User) -> None:
    ids = [session_of(services.start_session(user=alice)).pk for _ in range(10)]
    parts = [ids[:7], ids[3:][::-1], ids[::2], ids[1::2]]
    deeds: list[Deed] = [
        partial(
            services.end_sessions,
            Session.objects.filter(pk__in=part),
            reason=EndReason.REVOKED,
            by=alice,
        )
        for part in parts
    ]
    assert sum(at_once(deeds)) == 10
    assert Event.objects.filter(action="session.ended").count() == 10


def test_a_device_removed_during_a_change_of_password_is_no_fault(alice: User) -> None:
    """It was there when the call was let in; hashing takes a while."""
    keep = session_of(services.start_session(user=alice)).pk
    Session.objects.all().delete()
    accounts.change_password(
        user=alice,
        current_password=PASSWORD,
        new_password="walnut harbour sixteen lamps",
        keep=keep,
    )
    assert _anew(alice).check_password("walnut harbour sixteen lamps")
    assert _anew(alice).session_epoch == 1


# --- The number of devices ---------------------------------------------------------


def test_sign_ins_at_the_limit_leave_exactly_so_many(
    alice: User, settings: Settings
) -> None:
    settings.SESSIONS_PER_USER = 3
    for _ in range(3):
        services.start_session(user=alice)
    outcomes = at_once([lambda: services.start_session(user=alice)] * 10)
    assert len(pairs(outcomes)) == 10
    assert sum(lets_in(pair) for pair in outcomes) == 3
    assert Session.objects.active().count() == 3
    surplus = Event.objects.filter(action="session.ended", data={"reason": "surplus"})
    assert surplus.count() == 10


@pytest.mark.parametrize("number", [1, 2])
def test_two_sign_ins_at_the_limit_do_not_both_find_room(
    alice: User, settings: Settings, number: int
) -> None:
    settings.SESSIONS_PER_USER = number
    for _ in range(ROUNDS):
        outcomes = at_once([lambda: services.start_session(user=alice)] * 2)
        assert sum(lets_in(pair) for pair in pairs(outcomes)) == number
        assert Session.objects.active().count() == number


# --- Reading and tidying up --------------------------------------------------------


def test_of_many_readers_one_notes_the_use(alice: User) -> None:
    pair = services.start_session(user=alice)
    stale = datetime.now(UTC) - configured.SESSION_TOUCH_INTERVAL
    Session.objects.update(last_used_at=stale)
    readers = [session_of(pair) for _ in range(10)]
    at_once([reader.touch for reader in readers])
    noted = Session.objects.get().last_used_at
    assert noted > stale
    at_once([reader.touch for reader in readers])
    assert Session.objects.get().last_used_at == noted


def test_purges_at_once_delete_each_row_once(alice: User) -> None:
    end = datetime.now(UTC) - timedelta(days=1)
    living = services.start_session(user=alice)
    Session.objects.bulk_create(
        Session(
            user=alice,
            epoch=0,
            rotated_at=end,
            expires_at=end,
            absolute_expires_at=absolute_end(end),
        )
        for _ in range(2500)
    )
    deeds: list[Deed] = [services.purge_sessions] * 4
    deeds += [lambda: services.remove_past_sessions(user=alice)] * 2
    assert sum(at_once([*deeds, rotation(living.refresh_token)])[:6]) == 2500
    assert Session.objects.get().pk == session_of(living).pk
    assert lets_in(living)
