from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from audit import services as audit
from sessions_app import tokens
from sessions_app.errors import ForeignSession
from sessions_app.models import EndReason, Session, SessionQuerySet

PURGE_BATCH = 1000


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
        _take_along(keep, people.filter(sessions=keep))
    sessions = Session.objects.filter(user__in=ids)
    if keep:
        sessions = sessions.exclude(pk=keep)
    return end_sessions(sessions, reason=reason, by=by)


def _take_along(session_id: UUID, owner: models.QuerySet[Any]) -> None:
    """Into the new epoch; nothing, where the session was removed meanwhile."""
    for epoch in owner.values_list("session_epoch", flat=True):
        Session.objects.filter(pk=session_id).update(epoch=epoch)


def end_session(*, session: Session, by: Any, reason: EndReason) -> bool:
    """Ending one that has ended is nothing, and no fault."""
    return bool(end_sessions(Session.objects.filter(pk=session.pk), reason=reason, by=by))


def log_out(*, session: Session, refresh_token: str | None = None) -> None:
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
        # In the order of the index: a plan that does not know the limit would else read
        # the whole table for a batch that finds nothing.
        past = Session.objects.filter(expires_at__lte=limit).order_by("expires_at")
        ids = list(past.values_list("pk", flat=True)[:PURGE_BATCH])
        number, _ = Session.objects.filter(pk__in=ids).delete()
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
