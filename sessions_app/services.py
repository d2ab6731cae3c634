"""Signing in, staying signed in, and the end of it."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from audit import services as audit
from audit.models import Outcome
from config import context
from config.errors import NotFound
from limits import rates
from sessions_app import tokens
from sessions_app.devices import device_name
from sessions_app.errors import (
    ForeignSession,
    RefreshTokenReused,
    SessionEnded,
    TokenInvalid,
)
from sessions_app.lookup import find_session
from sessions_app.models import (
    EndReason,
    Session,
    SessionQuerySet,
    absolute_end,
    idle_end,
)
from sessions_app.places import locate

PURGE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Tokens:
    """`expires_in`: seconds of the access token. The user is the one signed in."""

    access_token: str
    refresh_token: str
    expires_in: int
    user: Any
    token_type: str = "bearer"  # noqa: S105  # RFC 6749 §7.1, not a secret


# --- Beginning ---------------------------------------------------------------------


@transaction.atomic
def start_session(*, user: Any, device_id: str = "") -> Tokens:
    """Signs a person in on one more device; beyond SESSIONS_PER_USER the oldest ends.

    Raises SessionEnded where the person was shut out, or ended everything, since the
    credentials were checked.
    """
    now = timezone.now()
    # One at a time for a person, or two could each see room for one more.
    _lock(user)
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
        user_agent=here.agent,
        device_id=device_id,
        device_name=device_name(here.agent),
        location_city=place.city,
        location_country=place.country,
    )
    context.remember_session(session.pk)
    audit.record("session.started", actor=user, target=session)
    _end_surplus(user, now)
    return _tokens(session, jti, now, session.expires_at, ring.signing)


def _lock(user: Any) -> None:
    people = get_user_model()._default_manager.filter(
        pk=user.pk, is_active=True, session_epoch=user.session_epoch
    )
    if not people.select_for_update(no_key=True).values_list("pk"):
        raise SessionEnded


def _end_surplus(user: Any, now: datetime) -> None:
    newest_first = user.sessions.active(now).order_by("-id").values_list("pk", flat=True)
    surplus = list(newest_first[settings.SESSIONS_PER_USER :])
    if surplus:
        end_sessions(
            Session.objects.filter(pk__in=surplus), reason=EndReason.SURPLUS, by=user
        )


# --- Rotation ----------------------------------------------------------------------


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
        return _tokens(session, successor, now, expires, key)
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
    return _tokens(
        session, successor, now, session.expires_at, key, issued=session.rotated_at
    )


@transaction.atomic
def _end_stolen(session: Session) -> None:
    """Committed before the refusal is raised: a thief must not undo it by failing."""
    mine = Session.objects.filter(pk=session.pk)
    if end_sessions(mine, reason=EndReason.REUSE, by=session.user):
        audit.record(
            "session.refresh_reuse",
            actor=session.user,
            target=session,
            outcome=Outcome.DENIED,
        )


def _tokens(
    session: Session,
    jti: str,
    now: datetime,
    expires: datetime,
    key: tokens.Key,
    issued: datetime | None = None,
) -> Tokens:
    names = {"user_id": session.user_id, "session_id": session.pk}
    return Tokens(
        access_token=tokens.access_token(**names, jti=secrets.token_urlsafe(16), now=now),
        refresh_token=tokens.refresh_token(
            **names, jti=jti, issued=issued or now, expires=expires, key=key
        ),
        expires_in=int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
        user=session.user,
    )


# --- The end -----------------------------------------------------------------------


@transaction.atomic
def end_sessions(sessions: SessionQuerySet, *, reason: EndReason, by: Any) -> int:
    """Ends those of them that are active, each with its event; how many those were."""
    # Locked in one order, and so that of two who end the same one, one counts it.
    ending = list(sessions.active().select_for_update().order_by("pk"))
    Session.objects.filter(pk__in=[session.pk for session in ending]).update(
        ended_at=timezone.now(), end_reason=reason
    )
    if ending:
        audit.record_each("session.ended", ending, actor=by, reason=reason.value)
    return len(ending)


@transaction.atomic
def end_all_of(
    user_ids: Iterable[UUID], *, reason: EndReason, by: Any, keep: UUID | None = None
) -> int:
    """Ends every session of these people and whatever was issued to them, also a sign-in
    that is being written at this instant; `keep` is the one that goes on.
    """
    ids = list(user_ids)
    people = get_user_model()._default_manager.filter(pk__in=ids)
    people.update(session_epoch=F("session_epoch") + 1)
    if keep:
        kept = Session.objects.filter(pk=keep, user__in=ids)
        epoch = people.values_list("session_epoch", flat=True).get(sessions=keep)
        kept.update(epoch=epoch)
    sessions = Session.objects.filter(user__in=ids)
    if keep:
        sessions = sessions.exclude(pk=keep)
    return end_sessions(sessions, reason=reason, by=by)


def end_session(*, session: Session, by: Any, reason: EndReason) -> bool:
    """Ending one that has ended is nothing, and no fault."""
    return bool(end_sessions(Session.objects.filter(pk=session.pk), reason=reason, by=by))


def log_out(*, session: Session, refresh_token: str = "") -> None:
    """Ends the session of the refresh token, else the given one.

    Raises TokenInvalid, ForeignSession.
    """
    target = session.pk
    if refresh_token:
        # Past its end it still says which session is meant.
        claims = tokens.read(refresh_token, tokens.REFRESH, expired=True)
        if claims.user_id != session.user_id:
            raise ForeignSession
        target = claims.session_id
    mine = Session.objects.filter(pk=target, user_id=session.user_id)
    end_sessions(mine, reason=EndReason.LOGOUT, by=session.user)


def remove_past_sessions(*, user: Any) -> int:
    """Takes the person's ended and expired sessions off the books."""
    number, _ = user.sessions.past().delete()
    return int(number)


def purge_sessions(*, ended_before: timedelta = timedelta()) -> int:
    """Deletes what expired that long ago, in batches; two at once do no harm."""
    limit = timezone.now() - ended_before
    total = 0
    while True:
        past = Session.objects.filter(expires_at__lte=limit).values_list("pk", flat=True)
        number, _ = Session.objects.filter(pk__in=list(past[:PURGE_BATCH])).delete()
        total += number
        if not number:
            return total


@transaction.atomic
def end_everybodys_sessions() -> int:
    """After a leak or a restore: nothing issued before this moment is worth anything."""
    get_user_model()._default_manager.update(session_epoch=F("session_epoch") + 1)
    number = Session.objects.active().update(
        ended_at=timezone.now(), end_reason=EndReason.OPERATOR
    )
    audit.record("sessions.all_ended", number=number)
    return number


# --- Names -------------------------------------------------------------------------


@transaction.atomic
def rename_session(*, session: Session, device_name: str, by: Any) -> None:
    """Raises NotFound where the session is no longer active."""
    active = Session.objects.active().filter(pk=session.pk)
    if not active.update(device_name=device_name):
        raise NotFound
    session.device_name = device_name
    audit.record("session.renamed", actor=by, target=session)
