from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from audit import services as audit
from audit.models import Outcome
from config import context
from limits import rates
from sessions_app import thefts, tokens
from sessions_app.errors import RefreshTokenReused, SessionEnded, TokenInvalid
from sessions_app.lookup import find_session
from sessions_app.models import EndReason, Session, idle_end
from sessions_app.places import locate
from sessions_app.services.endings import end_sessions
from sessions_app.services.pairs import Tokens, make_pair


def rotate_session(*, refresh_token: str) -> Tokens:
    """Spends a refresh token for a new pair; single use (RFC 9700 §4.14.2).

    The one just spent, presented again within REFRESH_GRACE, gets the same successor:
    two tabs and a lost answer log nobody out. Any older one is stolen, and its session
    ends. Raises TokenInvalid, SessionEnded, RefreshTokenReused, TooManyRequests.
    """
    claims = tokens.read(refresh_token, tokens.REFRESH)
    rates.enforce("refresh_session", str(claims.session_id))
    now = timezone.now()
    key = tokens.keyring().signing
    rotated = _spend(claims, key, now)
    session = find_session(session_id=claims.session_id, user_id=claims.user_id)
    if session is None or not session.lets_in(now):
        raise SessionEnded
    if rotated:
        successor = key.successor(session.pk, claims.jti)
        expires = min(idle_end(now), session.absolute_expires_at)
        return make_pair(session, successor, now, expires, key)
    return _repeat(session, claims, now)


def _spend(claims: tokens.Claims, key: tokens.Key, now: datetime) -> int:
    """The one conditional UPDATE: of any number at once, in any process, one wins.

    It reads and writes columns of the session only. With a condition on the user
    PostgreSQL evaluates a subquery before it waits for the row, and two win.
    """
    here = context.current()
    place = locate(here.address)
    presented = tokens.digest(claims.jti)
    return (
        Session.objects.active(now)
        .filter(pk=claims.session_id, user_id=claims.user_id, refresh_digest=presented)
        .update(
            previous_digest=presented,
            refresh_digest=tokens.digest(key.successor(claims.session_id, claims.jti)),
            refresh_kid=key.kid,
            rotated_at=now,
            rotations=F("rotations") + 1,
            last_used_at=now,
            expires_at=_earlier(idle_end(now), F("absolute_expires_at")),
            ip_address=here.address or None,
            location_city=place.city,
            location_country=place.country,
        )
    )


def _earlier(moment: datetime, end: F) -> models.Case:
    return models.Case(
        models.When(absolute_expires_at__gt=moment, then=models.Value(moment)),
        default=end,
    )


def _repeat(session: Session, claims: tokens.Claims, now: datetime) -> Tokens:
    """The successor once more, rebuilt from what the rotation stored; or a thief."""
    if not session.forgives(tokens.digest(claims.jti), now):
        _end_stolen(session)
        raise RefreshTokenReused
    key = tokens.keyring().keys.get(session.refresh_kid)
    if key is None:
        raise TokenInvalid
    successor = key.successor(session.pk, claims.jti)
    return make_pair(
        session, successor, now, session.expires_at, key, issued=session.rotated_at
    )


@transaction.atomic
def _end_stolen(session: Session) -> None:
    """Committed before the refusal is raised: a thief must not undo it by failing."""
    # The person before the session, as everywhere: whoever is told writes rows of theirs.
    people = get_user_model()._default_manager.filter(pk=session.user_id)
    people.select_for_update(no_key=True).values_list("pk").first()
    mine = Session.objects.filter(pk=session.pk)
    if end_sessions(mine, reason=EndReason.REUSE, by=session.user):
        audit.record(
            "session.refresh_reuse",
            actor=session.user,
            target=session,
            outcome=Outcome.DENIED,
        )
        for tell in thefts.listeners:
            tell(session)
