"""The one mail of this app: an invitation."""

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from organizations.models import Invitation
from organizations.seats import Seat
from outbox.services import compose_mail, queue_mails


def queue_invitation(
    invitation: Invitation, token: str, *, by: Seat, invitee: User | None
) -> None:
    """In the language of whoever gets it, as far as that is known."""
    mail = compose_mail(
        kind="organizations.invitation",
        recipient=invitation.email,
        person_id=invitee.pk if invitee else None,
        locale=invitee.locale if invitee else by.user.locale,
        expires_at=invitation.expires_at,
        name=invitee.first_name if invitee else "",
        organization=by.organization.name,
        inviter=by.user.full_name,
        inviter_email=by.user.email,
        role=invitation.role,
        link=f"{settings.FRONTEND_URL}/invitation#token={token}",
        at=timezone.now(),
        until=invitation.expires_at,
    )
    queue_mails([mail])
