"""What is done in organizations. The actor is a `Seat`, except where somebody only comes
to have one.
"""

from organizations.services.arriving import (
    accept_invitation,
    decline_invitation,
    preview_invitation,
    welcome_by_invitation,
)
from organizations.services.forgetting import forget_person
from organizations.services.founding import (
    administer_organization,
    create_organization,
    delete_organization,
    set_organization_activity,
    update_organization,
)
from organizations.services.inviting import (
    invite_member,
    purge_invitations,
    resend_invitation,
    revoke_invitation,
)
from organizations.services.members import (
    add_member,
    leave_organization,
    remove_member,
    transfer_ownership,
    update_member,
)

__all__ = [
    "accept_invitation",
    "add_member",
    "administer_organization",
    "create_organization",
    "decline_invitation",
    "delete_organization",
    "forget_person",
    "invite_member",
    "leave_organization",
    "preview_invitation",
    "purge_invitations",
    "remove_member",
    "resend_invitation",
    "revoke_invitation",
    "set_organization_activity",
    "transfer_ownership",
    "update_member",
    "update_organization",
    "welcome_by_invitation",
]
