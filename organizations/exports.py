"""What is held about a person here."""

from typing import Any

from accounts.models import User
from organizations.models import Invitation, Membership

MEMBERSHIP = (
    "id",
    "organization_id",
    "organization__name",
    "organization__slug",
    "role",
    "is_active",
    "joined_at",
)
INVITATION = (
    "id",
    "organization_id",
    "organization__name",
    "role",
    "state",
    "created_at",
    "expires_at",
    "ended_at",
)


def memberships(user: User) -> list[dict[str, Any]]:
    own = Membership.objects.filter(user=user)
    return [_named(row) for row in own.order_by("id").values(*MEMBERSHIP)]


def invitations(user: User) -> list[dict[str, Any]]:
    """To the person's address, once that is shown to be theirs."""
    if not user.email_verified:
        return []
    own = Invitation.objects.for_email_key(user.email_key)
    return [_named(row) for row in own.order_by("id").values(*INVITATION)]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("organization__", "organization_"): row[name] for name in row}
