from typing import Any

from django.db import transaction

from accounts import exports
from accounts.models import User
from audit import services as audit


@transaction.atomic
def export_account(*, user: User) -> dict[str, Any]:
    """Everything held about a person, by section; that it was asked for is recorded."""
    audit.record("user.exported", actor=user, target=user)
    return exports.collect(user)
