from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.errors import OwnAccount
from accounts.models import User
from accounts.services.people import set_activity
from audit import services as audit


@transaction.atomic
def update_profile(
    *, user: User, by: User, is_active: bool | None = None, **changes: Any
) -> None:
    """All of it or nothing. Raises OwnAccount, and what `set_activity` raises."""
    if is_active is not None:
        if user.pk == by.pk:
            raise OwnAccount
        set_activity(user=user, active=is_active, by=by)
    if changes:
        for name, value in changes.items():
            setattr(user, name, value)
        user.updated_at = timezone.now()
        user.save(update_fields=[*changes, "updated_at"])
        audit.record("user.updated", actor=by, target=user, fields=sorted(changes))
