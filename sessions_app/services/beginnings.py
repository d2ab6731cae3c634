import secrets
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


@transaction.atomic
def start_session(*, user: Any, device_id: str = "") -> Tokens:
    """Signs a person in on one more device; beyond SESSIONS_PER_USER the oldest ends.

    Raises SessionEnded where the person was shut out, or ended everything, since the
    credentials were checked.
    """
    return begin_session(user=user, device_id=device_id)


def begin_session(*, user: Any, device_id: str = "") -> Tokens:
    """As `start_session`, in a transaction of the caller that ends where this fails: two
    round trips less than a savepoint.
    """
    now = timezone.now()
    # One at a time for a person, or two could each see room for one more.
    if not lookup.lock_person(user_id=user.pk, epoch=user.session_epoch):
        raise SessionEnded
    here = context.current()
    place = locate(here.address)
    ring = tokens.keyring()
    jti = secrets.token_urlsafe(24)
    session = Session.objects.create(
        user=user,
        epoch=user.session_epoch,
        refresh_digest=tokens.digest(jti),
        refresh_kid=ring.signing.kid,
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
    context.remember_session(session.pk)
    audit.record("session.started", actor=user, target=session)
    _end_surplus(session, now)
    return make_pair(session, jti, now, session.expires_at, ring.signing)


def _end_surplus(session: Session, now: datetime) -> None:
    """Never the one just begun, however the clocks of several machines disagree."""
    room = settings.SESSIONS_PER_USER - 1
    surplus = lookup.list_surplus(
        user_id=session.user_id, beside=session.pk, now=now, room=room
    )
    if surplus:
        gone = Session.objects.filter(pk__in=surplus)
        end_sessions(gone, reason=EndReason.SURPLUS, by=session.user)
