"""The reasons why an organization says no."""

from config.errors import DomainError


class NotAMember(DomainError):
    """One answer for an unknown organization and for another's."""

    status = 403
    code = "not_a_member"
    message = "This organization does not exist, or you do not belong to it."


class RoleTooLow(DomainError):
    """With `needs`: the role that would suffice."""

    status = 403
    code = "role_too_low"
    message = "Your role in this organization does not allow this."


class RoleTooHigh(DomainError):
    status = 403
    code = "role_too_high"
    message = "You cannot grant, change or take away a role above your own."


class SlugTaken(DomainError):
    code = "slug_taken"
    message = "This slug belongs to another organization."


class AlreadyMember(DomainError):
    code = "already_member"
    message = "This person is already a member."


class MemberInactive(DomainError):
    code = "member_inactive"
    message = "This member is not active."


class AlreadyOwner(DomainError):
    code = "already_owner"
    message = "This person is an owner already: name another member."


class OrganizationInactive(DomainError):
    code = "organization_inactive"
    message = "This organization is not active."


class InvitationClosed(DomainError):
    code = "invitation_closed"
    message = "This invitation was accepted, declined or revoked."


class TooManyOrganizations(DomainError):
    code = "too_many_organizations"
    message = "This person belongs to as many organizations as are allowed."


class TooManyMembers(DomainError):
    code = "too_many_members"
    message = "This organization has as many members as are allowed."


class TooManyInvitations(DomainError):
    code = "too_many_invitations"
    message = "This organization has as many open invitations as are allowed."
