import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from config import context
from sessions_app import lookup, tokens
from sessions_app.devices import device_name
from sessions_app.errors import SessionEnded
from sessions_app.models import EndReason, Session, absolute_end, idle_end
from sessions_app.places import locate
from sessions_app.services.endings import end_sessions
from sessions_app.services.pairs import Tokens, make_pair


@dataclass(frozen=True, slots=True)
class Beginning:
    """`is_familiar`: as a session of the person before, or the first of all."""

    tokens: Tokens
    is_familiar: bool


@transaction.atomic
def start_session(*, user: Any, device_id: str = "") -> Tokens:
    """Signs a person in on one more device; beyond SESSIONS_PER_USER the oldest ends.

    Raises SessionEnded where the person was shut out, or ended everything, since the
    credentials were checked.
    """
    return begin_session(user=user, device_id=device_id).tokens


def begin_session(*, user: Any, device_id: str = "") -> Beginning:
    """As `start_session`, in a transaction of the caller that ends where this fails: two
    round trips less than a savepoint.
    """
    now = timezone.now()
    here = context.current()
    # One at a time for a person, or two could each see room for one more.
    is_familiar = lookup.lock_person(
        user_id=user.pk,
        epoch=user.session_epoch,
        device_id=device_id,
        agent=here.agent,
        address=here.address,
    )
    if is_familiar is None:
        raise SessionEnded
    key = tokens.keyring().signing
    jti = secrets.token_urlsafe(24)
    session = _make_session(user, device_id, now, key.kid, tokens.digest(jti))
    _add(session, user, now)
    pair = make_pair(session, jti, now, session.expires_at, key)
    return Beginning(pair, is_familiar)


def _make_session(
    user: Any, device_id: str, now: datetime, kid: str, digest: str
) -> Session:
    here = context.current()
    place = locate(here.address)
    return Session(
        user=user,
        epoch=user.session_epoch,
        refresh_digest=digest,
        refresh_kid=kid,
        rotated_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=min(idle_end(now), absolute_end(now)),
        absolute_expires_at=absolute_end(now),
        ip_address=here.address or None,
        first_ip_address=here.address or None,
        user_agent=here.agent,
        device_id=device_id,
        device_name=device_name(here.agent),
        location_city=place.city,
        location_country=place.country,
    )


def _add(session: Session, user: Any, now: datetime) -> None:
    """With its event. The surplus that ends never has the one just begun, however the
    clocks of several machines disagree.
    """
    context.remember_session(session.pk)
    event = audit.draft("session.started", session, actor=user)
    room = settings.SESSIONS_PER_USER - 1
    surplus = lookup.add_session(session, event, now=now, room=room)
    audit.tell([event], [session])
    if surplus:
        gone = Session.objects.filter(pk__in=surplus)
        end_sessions(gone, reason=EndReason.SURPLUS, by=user)
