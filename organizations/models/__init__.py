from organizations.models.invitations import (
    EXPIRED,
    STATUSES,
    Invitation,
    InvitationQuerySet,
    State,
)
from organizations.models.tenants import (
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    Membership,
    MembershipQuerySet,
    Organization,
    OrganizationQuerySet,
)

__all__ = [
    "DESCRIPTION_LENGTH",
    "EXPIRED",
    "NAME_LENGTH",
    "STATUSES",
    "Invitation",
    "InvitationQuerySet",
    "Membership",
    "MembershipQuerySet",
    "Organization",
    "OrganizationQuerySet",
    "State",
]
