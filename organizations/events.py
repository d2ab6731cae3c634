"""What happens in an organization, in its own part of the log."""

from typing import Any

from django.db import models

from audit import services as audit
from organizations.seats import Seat


def record(action: str, *, by: Seat, target: models.Model, **data: Any) -> None:
    """In the transaction of the change. A superuser's act says so."""
    if by.as_superuser:
        data["as_superuser"] = True
    audit.record(
        action,
        actor=by.user,
        target=target,
        organization_id=by.organization.pk,
        **data,
    )
