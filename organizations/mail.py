"""The one mail of this app: an invitation."""

import re

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from organizations.models import Invitation
from organizations.seats import Seat
from outbox.services import compose_mail, queue_mails

# What mail programs make a link of.
LINK = re.compile("://|www\\.|\\w[.\u3002\uff0e\uff61]\\w{2,}", re.IGNORECASE)


def queue_invitation(
    invitation: Invitation, token: str, *, by: Seat, invitee: User | None
) -> None:
    """In the language of whoever gets it, as far as that is known."""
    mail = compose_mail(
        kind="organizations.invitation",
        # Mail for people who are known goes to the address as they gave it.
        recipient=invitee.email if invitee else invitation.email,
        person_id=invitee.pk if invitee else None,
        locale=invitee.locale if invitee else by.user.locale,
        expires_at=invitation.expires_at,
        # Who named a stranger's address at registration must not write to them.
        name=invitee.first_name if invitee and invitee.email_verified else "",
        organization=_printed(by.organization.name) or by.organization.slug,
        inviter=_printed(by.user.full_name),
        inviter_email=by.user.email if by.user.email_verified else "",
        role=invitation.role,
        link=f"{settings.FRONTEND_URL}/invitation#token={token}",
        at=timezone.now(),
        until=invitation.expires_at,
    )
    queue_mails([mail])


def _printed(name: str) -> str:
    """Strangers read this: nothing that is not seen and turns the text around it, and no
    link of somebody else's.
    """
    seen = "".join(c for c in name if c.isprintable()).strip()
    return "" if LINK.search(seen) else seen
