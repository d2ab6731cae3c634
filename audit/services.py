"""Recording. Called inside the transaction of the change, so both happen or neither."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import models, transaction

from audit import stream
from audit.models import Event, Outcome
from config import context
from config.statements import insert

logger = structlog.get_logger("audit")


def record(
    action: str,
    *,
    actor: models.Model | None = None,
    target: models.Model | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    organization_id: UUID | None = None,
    **data: Any,
) -> Event:
    """Adds one event; `data` holds what else explains it, never a secret."""
    (event,) = record_each(
        action,
        [target],
        actor=actor,
        outcome=outcome,
        organization_id=organization_id,
        **data,
    )
    return event


def record_each(
    action: str, targets: Iterable[models.Model | None], **details: Any
) -> list[Event]:
    """The same event for each target, in one statement; with the details of `record`."""
    about = list(targets)
    events = [draft(action, target, **details) for target in about]
    _add(events)
    tell(events, about)
    return events


def draft(
    action: str,
    target: models.Model | None,
    *,
    actor: models.Model | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    organization_id: UUID | None = None,
    **data: Any,
) -> Event:
    """One for a caller that adds it in a statement of its own, and then must `tell`."""
    here = context.current()
    return Event(
        action=action,
        outcome=outcome,
        actor_id=actor.pk if actor else None,
        actor_label=label(actor),
        session_id=here.session_id,
        organization_id=organization_id,
        address=here.address or None,
        agent=here.agent.replace("\0", ""),
        request_id=here.request_id,
        data=data,
        **_target(target),
    )


def tell(events: Sequence[Event], about: Sequence[models.Model | None]) -> None:
    """Whoever listens, and the log; once what was added is committed."""
    stream.announce(events, about)
    for event in events:
        transaction.on_commit(partial(_log, event))


def _add(events: Sequence[Event]) -> None:
    if len(events) == 1:
        insert(*events)
    else:
        Event.objects.bulk_create(events)


def pseudonymize(person_id: UUID, *, label: str, personal: Sequence[str]) -> None:
    """What happened stays; who it was is no longer told, nor what a person called things
    of these target types.
    """
    Event.objects.forget_things_of(person_id, personal)
    Event.objects.pseudonymize(person_id, label)


def forget_labels(target_type: str, target_ids: Sequence[UUID]) -> None:
    """What these were called is personal, and no longer told."""
    Event.objects.forget_labels(target_type, target_ids)


def label(subject: models.Model | None) -> str:
    """What a person calls it: `audit_label` where the model has one."""
    return str(getattr(subject, "audit_label", ""))[:254]


def _target(target: models.Model | None) -> dict[str, Any]:
    if target is None:
        return {}
    return {
        "target_type": target._meta.model_name,
        "target_id": target.pk,
        "target_label": label(target),
    }


def _log(event: Event) -> None:
    logger.info(
        event.action,
        outcome=str(event.outcome),
        actor_id=str(event.actor_id) if event.actor_id else None,
        target_type=event.target_type or None,
        target_id=str(event.target_id) if event.target_id else None,
        organization_id=str(event.organization_id) if event.organization_id else None,
    )
