"""Who may do what: the one table of capability by role.

Permissions, services, the console, the documents and GET …/capabilities read it.
"""

from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Capability(TextChoices):
    VIEW_ORGANIZATION = "view_organization"
    VIEW_MEMBERS = "view_members"
    LEAVE_ORGANIZATION = "leave_organization"
    UPDATE_ORGANIZATION = "update_organization"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_INVITATIONS = "manage_invitations"
    VIEW_EVENTS = "view_events"
    MANAGE_OWNERS = "manage_owners"
    TRANSFER_OWNERSHIP = "transfer_ownership"
    DELETE_ORGANIZATION = "delete_organization"


# From the least role to the highest; each has what those before it have.
RANKS = (Role.MEMBER, Role.ADMIN, Role.OWNER)

NEEDS: dict[Capability, Role] = {
    Capability.VIEW_ORGANIZATION: Role.MEMBER,
    Capability.VIEW_MEMBERS: Role.MEMBER,
    Capability.LEAVE_ORGANIZATION: Role.MEMBER,
    Capability.UPDATE_ORGANIZATION: Role.ADMIN,
    Capability.MANAGE_MEMBERS: Role.ADMIN,
    Capability.MANAGE_INVITATIONS: Role.ADMIN,
    Capability.VIEW_EVENTS: Role.ADMIN,
    Capability.MANAGE_OWNERS: Role.OWNER,
    Capability.TRANSFER_OWNERSHIP: Role.OWNER,
    Capability.DELETE_ORGANIZATION: Role.OWNER,
}


def holders(capability: Capability) -> tuple[Role, ...]:
    return RANKS[RANKS.index(NEEDS[capability]) :]


def has(role: Role, capability: Capability) -> bool:
    return role in holders(capability)
