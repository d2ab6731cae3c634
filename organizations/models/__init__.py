from organizations.models.invitations import (
    EXPIRED,
    STATUSES,
    Invitation,
    InvitationQuerySet,
    State,
)
from organizations.models.tenants import (
    Membership,
    MembershipQuerySet,
    Organization,
    OrganizationQuerySet,
)

__all__ = [
    "EXPIRED",
    "STATUSES",
    "Invitation",
    "InvitationQuerySet",
    "Membership",
    "MembershipQuerySet",
    "Organization",
    "OrganizationQuerySet",
    "State",
]
