"""The console's rooms for tenants: read, and acted upon through the services."""

from organizations.admin.invitations import InvitationAdmin
from organizations.admin.memberships import MembershipAdmin
from organizations.admin.tenants import OrganizationAdmin

__all__ = ["InvitationAdmin", "MembershipAdmin", "OrganizationAdmin"]
