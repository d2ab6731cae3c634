"""The statements that run most: a session with its user, a person's sessions, and what a
session that begins asks.

Each is written once a process. Instances of models are made only where they are needed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection, models
from django.db.models import BooleanField, Exists, ExpressionWrapper, Q

from audit.models import Event
from config.statements import Statement, insert_and_ask, write
from sessions_app.models import Session, SessionQuerySet

# What signing in, rotating and every call need to know of a session.
SESSION_COLUMNS = (
    "id",
    "user_id",
    "epoch",
    "previous_digest",
    "refresh_kid",
    "rotated_at",
    "last_used_at",
    "expires_at",
    "absolute_expires_at",
    "ended_at",
)


# What a list of them shows.
LISTED_COLUMNS = (
    "id",
    "device_name",
    "device_id",
    "ip_address",
    "location_city",
    "location_country",
    "last_used_at",
    "created_at",
    "expires_at",
)
SOMEBODY, SOME_SESSION = UUID(int=0), UUID(int=1)
SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
SOME_EPOCH = 2_000_000_000
SOMETHING = "\x01"
SOME_ADDRESS = "203.0.113.1"
DEVICE = Session._meta.get_field("device_id"), SOMETHING
AGENT = Session._meta.get_field("user_agent"), SOMETHING
ADDRESS = Session._meta.get_field("ip_address"), SOME_ADDRESS


def find_session(*, session_id: UUID, user_id: UUID) -> Session | None:
    """With `user` loaded. Both are real instances without the columns not named, which
    load when something asks for them; whether they are let in is `Session.lets_in`.
    """
    for row in _one(connection.vendor).rows(session_id, user_id):
        return _load(row)
    return None


def list_sessions(*, user_id: UUID, current: UUID, now: datetime) -> list[list[Any]]:
    """The active ones, newest use first: LISTED_COLUMNS of each, and whether it is the
    current one. No instances, and written once: a list of ten costs 0.5 ms, not 1.1.
    """
    return _list(connection.vendor).rows(current, user_id, now)


def lock_person(
    *, user_id: UUID, epoch: int, device_id: str, agent: str, address: str
) -> bool | None:
    """For the rest of the transaction; None where the person was shut out or ended
    everything since that epoch. Else whether a session that begins so is familiar: one
    of the person resembles it, or none ever began, of which the events know more than
    the sessions that are kept.
    """
    if device_id:
        rows = _locking_named(connection.vendor).rows(user_id, epoch, device_id)
    elif address:
        rows = _locking_placed(connection.vendor).rows(user_id, epoch, agent, address)
    else:
        rows = _locking_nowhere(connection.vendor).rows(user_id, epoch, agent)
    return bool(rows[0][0]) if rows else None


def add_session(
    session: Session, event: Event, *, now: datetime, room: int
) -> list[UUID]:
    """Adds both. Those of the person's other active sessions that are beyond so many."""
    beyond = _beyond(connection.vendor, room)
    named = session.user_id, now, session.pk
    rows = insert_and_ask([session, event], beyond, *named)
    return [session_id for (session_id,) in rows]


def _load(row: list[Any]) -> Session:
    people = get_user_model()
    mine, theirs = _columns()
    session = Session.from_db("default", mine, row[: len(mine)])
    session.user = people.from_db("default", theirs, row[len(mine) :])
    return session


@cache
def _columns() -> tuple[tuple[str, ...], tuple[str, ...]]:
    people = get_user_model()
    return _in_order(Session, SESSION_COLUMNS), _in_order(people, people.SESSION_COLUMNS)


@cache
def _one(vendor: str) -> Statement:
    mine, theirs = _columns()
    rows = Session.objects.filter(pk=SOME_SESSION, user_id=SOMEBODY)
    named = rows.values_list(*mine, *(f"user__{column}" for column in theirs))
    ids = Session._meta.pk
    return write(named, (ids, SOME_SESSION), (ids, SOMEBODY))


@cache
def _list(vendor: str) -> Statement:
    this = ExpressionWrapper(Q(pk=SOME_SESSION), output_field=BooleanField())
    rows = Session.objects.filter(user_id=SOMEBODY).active(SOME_TIME)
    ids, times = Session._meta.pk, Session._meta.get_field("expires_at")
    return write(
        rows.newest_use_first().values_list(*LISTED_COLUMNS, this),
        (ids, SOME_SESSION),
        (ids, SOMEBODY),
        (times, SOME_TIME),
    )


@cache
def _locking_named(vendor: str) -> Statement:
    return _locking(Session.objects.resembling(SOMETHING, "", ""), DEVICE)


@cache
def _locking_placed(vendor: str) -> Statement:
    placed = Session.objects.resembling("", SOMETHING, SOME_ADDRESS)
    return _locking(placed, AGENT, ADDRESS)


@cache
def _locking_nowhere(vendor: str) -> Statement:
    """Behind a socket that tells no address."""
    return _locking(Session.objects.resembling("", SOMETHING, ""), AGENT)


def _locking(
    resembling: SessionQuerySet, *stand_ins: tuple["models.Field[Any, Any]", Any]
) -> Statement:
    people = get_user_model()
    theirs = Session.objects.filter(user_id=SOMEBODY)
    begun = Event.objects.filter(actor_id=SOMEBODY, action="session.started")
    never = ~Exists(theirs) & ~Exists(begun)
    familiar = Exists(resembling.filter(user_id=SOMEBODY)) | never
    rows = people._default_manager.filter(
        pk=SOMEBODY, is_active=True, session_epoch=SOME_EPOCH
    )
    column = ExpressionWrapper(familiar, output_field=BooleanField())
    return write(
        rows.select_for_update(no_key=True).values_list(column),
        (people._meta.pk, SOMEBODY),
        (people._meta.get_field("session_epoch"), SOME_EPOCH),
        *stand_ins,
    )


@cache
def _beyond(vendor: str, room: int) -> Statement:
    rows = Session.objects.filter(user_id=SOMEBODY).active(SOME_TIME)
    others = rows.exclude(pk=SOME_SESSION).order_by("-id").values_list("pk")
    ids, times = Session._meta.pk, Session._meta.get_field("expires_at")
    places = ((ids, SOMEBODY), (times, SOME_TIME), (ids, SOME_SESSION))
    return write(others[room:], *places)


def _in_order(model: type[models.Model], wanted: Sequence[str]) -> tuple[str, ...]:
    """As the model declares them: `from_db` takes them so."""
    return tuple(
        field.attname for field in model._meta.concrete_fields if field.attname in wanted
    )
