"""Invitations from the side of those who invite."""

import secrets
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.addresses import email_key
from accounts.models import User
from accounts.proofs import digest
from config.errors import NotFound
from limits import rates
from organizations import mail
from organizations.errors import AlreadyMember, InvitationClosed, TooManyInvitations
from organizations.events import record
from organizations.models import Invitation, State
from organizations.roles import Capability, Role
from organizations.seats import Seat, lock_seat

PURGE_BATCH = 1000


def invite_member(*, by: Seat, email: str, role: Role) -> Invitation:
    """Mails a link to an address; inviting it again renews the invitation.

    Raises RoleTooLow, RoleTooHigh, AlreadyMember, TooManyInvitations, TooManyRequests,
    ValidationError for a bad address.
    """
    by.require(Capability.MANAGE_INVITATIONS)
    by.require_grant(role)
    _count(by, email_key(email))
    return _invite(by, email, role)


@transaction.atomic
def _invite(by: Seat, email: str, role: Role) -> Invitation:
    by = lock_seat(by)
    by.require(Capability.MANAGE_INVITATIONS)
    by.require_grant(role)
    if by.organization.memberships.listed().with_email(email).exists():
        raise AlreadyMember
    invitations = by.organization.invitations.filter(state=State.OPEN)
    invitation = invitations.for_email_key(email_key(email)).first()
    if invitation is None:
        if invitations.pending().count() >= settings.INVITATIONS_PER_ORGANIZATION:
            raise TooManyInvitations
        invitation = Invitation(organization=by.organization)
        action = "invitation.created"
    else:
        by.require_grant(Role(invitation.role))
        action = "invitation.renewed"
    _issue(by, invitation, email, role)
    record(action, by=by, target=invitation, role=role.value)
    return invitation


def resend_invitation(*, by: Seat, invitation_id: UUID) -> None:
    """With a new token, and all its time again; the mail before is worth nothing.

    Raises NotFound, RoleTooLow, RoleTooHigh, InvitationClosed, TooManyRequests.
    """
    invitation = _find(by, invitation_id)
    _count(by, invitation.email_key)
    _renew(by, invitation_id)


@transaction.atomic
def _renew(by: Seat, invitation_id: UUID) -> None:
    by = lock_seat(by)
    invitation = _find(by, invitation_id)
    if invitation.state != State.OPEN:
        raise InvitationClosed
    role = Role(invitation.role)
    _issue(by, invitation, invitation.email, role)
    record("invitation.renewed", by=by, target=invitation, role=role.value)


@transaction.atomic
def revoke_invitation(*, by: Seat, invitation_id: UUID) -> None:
    """Once more is no fault. Raises NotFound, RoleTooLow, RoleTooHigh, InvitationClosed
    where it was answered already.
    """
    by = lock_seat(by)
    invitation = _find(by, invitation_id)
    if invitation.state == State.REVOKED:
        return
    if invitation.state != State.OPEN:
        raise InvitationClosed
    end_invitation(invitation, State.REVOKED)
    record("invitation.revoked", by=by, target=invitation)


def end_invitation(invitation: Invitation, state: State) -> None:
    """Under the lock on its organization."""
    invitation.state = state
    invitation.ended_at = timezone.now()
    invitation.save(update_fields=["state", "ended_at"])


def purge_invitations() -> int:
    """Deletes what ran out INVITATIONS_KEPT ago, in batches; two at once do no harm."""
    limit = timezone.now() - settings.INVITATIONS_KEPT
    total = 0
    while True:
        old = Invitation.objects.filter(expires_at__lte=limit)
        ids = list(old.values_list("pk", flat=True)[:PURGE_BATCH])
        number, _ = Invitation.objects.filter(pk__in=ids).delete()
        total += number
        if not number:
            return total


def _find(by: Seat, invitation_id: UUID) -> Invitation:
    by.require(Capability.MANAGE_INVITATIONS)
    own = by.organization.invitations.select_related("inviter")
    invitation = own.filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound
    by.require_grant(Role(invitation.role))
    return invitation


def _issue(by: Seat, invitation: Invitation, email: str, role: Role) -> None:
    """32 random bytes, of which only the SHA-256 is stored (OWASP ASVS 5.0, 6.5.2)."""
    token = secrets.token_urlsafe(32)
    invitation.email, invitation.email_key = email, email_key(email)
    invitation.role = role
    invitation.inviter = by.user
    invitation.token_digest = digest(token)
    invitation.expires_at = timezone.now() + settings.INVITATION_LIFETIME
    invitation.save()
    invitee = User.objects.existing().filter(email_key=invitation.email_key).first()
    mail.queue_invitation(invitation, token, by=by, invitee=invitee)


def _count(by: Seat, key: str) -> None:
    """Before the transaction, which a refusal would roll back. Raises TooManyRequests."""
    here = str(by.organization.pk)
    rates.enforce_all("invitations", here, settings.INVITATIONS_PER_TENANT)
    rates.enforce_all("invited", f"{here} {key}", settings.INVITATIONS_PER_ADDRESS)
    rates.enforce_all("invited", key, settings.INVITATIONS_PER_ADDRESS_OF_ALL)
