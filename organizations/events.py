"""What happens in an organization, in its own part of the log."""

from collections.abc import Iterable
from typing import Any

from django.db import models

from audit import services as audit
from organizations.seats import Seat


def record(action: str, *, by: Seat, target: models.Model, **data: Any) -> None:
    """In the transaction of the change. A superuser's act says so."""
    record_each(action, [target], by=by, **data)


def record_each(
    action: str, targets: Iterable[models.Model], *, by: Seat, **data: Any
) -> None:
    """The same for each, in one statement."""
    if by.as_superuser:
        data["as_superuser"] = True
    audit.record_each(
        action,
        targets,
        actor=by.user,
        organization_id=by.organization.pk,
        **data,
    )
