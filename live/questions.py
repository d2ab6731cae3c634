"""What sockets ask the database. One thread a process asks it: so answers come in the
order of the questions, and what was found before a change never follows what was found
behind it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import close_old_connections, connections
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from audit import stream
from audit.models import Event, EventQuerySet
from limits import holds, rates
from limits.holds import Hold
from live.errors import ResumeGap, TooManySockets
from live.visibility import OWN, TENANT, Happening
from organizations.roles import Role
from organizations.seats import roles_of, take_seat
from sessions_app.errors import SessionEnded
from sessions_app.lookup import find_session
from sessions_app.models import Session
from sessions_app.tokens import Claims

# Ids are made before the commit, by the clocks of several machines: what was not to be
# seen yet when the client left can have an id before the last one that it has.
OVERLAP = timedelta(seconds=20)
REPLAYED = timedelta(hours=1)
MAXIMUM_REPLAY = 1000

P = ParamSpec("P")
T = TypeVar("T")


class Thread:
    """The one that asks. Its connection is its own, as every thread's."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="live")

    async def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises what the question raises."""
        asked = partial(copy_context().run, _ask, partial(question, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self.pool, asked)

    def later(self, question: Callable[P, None], *args: P.args, **kw: P.kwargs) -> None:
        """Nobody waits for it."""
        self.pool.submit(_ask, partial(question, *args, **kw))

    def stop(self) -> None:
        self.pool.submit(connections.close_all)
        self.pool.shutdown()


def _ask(question: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return question()
    finally:
        close_old_connections()


@dataclass(frozen=True, slots=True)
class Found:
    """Of the sessions asked about those that let in, and the roles of their people."""

    sessions: frozenset[UUID]
    roles: Mapping[tuple[UUID, UUID], Role]


def enter(claims: Claims, held: Mapping[Hold, int]) -> None:
    """Lets a socket in: the session by the one statement, then room for one more.

    `held` is what the socket counts for, and how many there may be of each. Raises
    SessionEnded, TooManyRequests, TooManySockets.
    """
    # First, or a stolen token that is worth nothing any more would use up the limit.
    confirm(claims)
    rates.enforce("live", str(claims.user_id))
    shared = holds.shared()
    if shared and not shared.take_all(held):
        raise TooManySockets


def confirm(claims: Claims) -> User:
    """Raises SessionEnded."""
    session = find_session(session_id=claims.session_id, user_id=claims.user_id)
    if session is None or not session.lets_in(timezone.now()):
        raise SessionEnded
    session.touch()
    user: User = session.user
    return user


def give_back(held: Iterable[Hold]) -> None:
    if shared := holds.shared():
        shared.give_back(held)


def find_role(claims: Claims, organization_id: UUID) -> Role:
    """In the organization, now. Raises SessionEnded, NotAMember, NotFound."""
    return take_seat(confirm(claims), organization_id).role


def look(
    sessions: Iterable[UUID],
    seats: Iterable[tuple[UUID, UUID]],
    held: Iterable[Hold],
) -> Found:
    """What is still so of these sessions and seats, (person, organization) each; and
    what the sockets hold is renewed.
    """
    if shared := holds.shared():
        shared.renew(held)
    alive = Session.objects.letting_in().filter(pk__in=list(sessions))
    return Found(frozenset(alive.values_list("pk", flat=True)), roles_of(seats))


# --- Replay ------------------------------------------------------------------------


def replay(claims: Claims, after: UUID, organizations: Iterable[UUID]) -> list[Happening]:
    """What concerns the person and these organizations since that event, oldest first;
    some of it may have been told before. Raises ResumeGap, TooManyRequests.
    """
    rates.enforce("live_resume", str(claims.user_id))
    made = timedelta(milliseconds=after.int >> 80)
    age = timedelta(seconds=time.time()) - made
    # One from the future is none of ours, and says nothing of what was missed.
    if not -OVERLAP < age < REPLAYED:
        raise ResumeGap
    since = (made - OVERLAP) // timedelta(milliseconds=1)
    later = Event.objects.filter(pk__gte=UUID(int=since << 80)).order_by("pk")
    own = [stream.describe(e, person_id=claims.user_id) for e in _own(later, claims)]
    tenants = later.filter(
        organization_id__in=list(organizations), action__in=list(TENANT)
    )
    found = own + [stream.describe(e, person_id=None) for e in _some(tenants)]
    if len(found) > MAXIMUM_REPLAY:
        raise ResumeGap
    return sorted(found, key=lambda event: str(event["id"]))


def _own(later: EventQuerySet, claims: Claims) -> list[Event]:
    """Of the account, and of its sessions: each by the index of what it was done to."""
    mine = Session.objects.filter(user_id=claims.user_id)
    sessions = mine.values_list("pk", flat=True)
    about = Q(target_id=claims.user_id) | Q(target_id__in=list(sessions))
    return _some(later.filter(about, action__in=list(OWN)))


def _some(events: EventQuerySet) -> list[Event]:
    return list(events[: MAXIMUM_REPLAY + 1])
