"""Invitations from the side of those who invite."""

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.addresses import email_key
from accounts.models import User
from accounts.proofs import digest
from audit import services as audit
from config.errors import NotFound
from limits import rates
from organizations import mail
from organizations.errors import (
    AlreadyMember,
    InvitationClosed,
    OrganizationInactive,
    TooManyInvitations,
)
from organizations.events import record, record_each
from organizations.models import Invitation, InvitationQuerySet, State
from organizations.roles import Capability, Role
from organizations.seats import Seat, lock_seat

PURGE_BATCH = 1000


def invite_member(*, by: Seat, email: str, role: Role) -> Invitation:
    """Mails a link to an address; inviting it again renews the invitation.

    Raises RoleTooLow, RoleTooHigh, OrganizationInactive, AlreadyMember,
    TooManyInvitations, TooManyRequests, ValidationError for a bad address.
    """
    by.require(Capability.MANAGE_INVITATIONS)
    by.require_grant(role)
    _refuse_member(by, email)
    _count(by, email_key(email))
    return _invite(by, email, role)


@transaction.atomic
def _invite(by: Seat, email: str, role: Role) -> Invitation:
    by = lock_seat(by)
    by.require(Capability.MANAGE_INVITATIONS)
    by.require_grant(role)
    invitations = by.organization.invitations.filter(state=State.OPEN)
    invitation = invitations.for_email_key(email_key(email)).first()
    action = "invitation.renewed" if invitation else "invitation.created"
    if invitation is None:
        invitation = Invitation(organization=by.organization, expires_at=timezone.now())
    else:
        by.require_grant(Role(invitation.role))
    _issue(by, invitation, email, role)
    record(action, by=by, target=invitation, role=role.value)
    return invitation


def resend_invitation(*, by: Seat, invitation_id: UUID) -> None:
    """With a new token, and all its time again; the mail before is worth nothing.

    Raises NotFound, RoleTooLow, RoleTooHigh, InvitationClosed, TooManyRequests, and as
    `invite_member`.
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
    """Under the lock on its organization. Raises NotFound where it was purged."""
    _store(invitation, state=state, ended_at=timezone.now())


def withdraw_invitations(*, by: Seat, user_id: UUID) -> None:
    """Those that a member, who lost a right, may not extend any more: they would come
    back to life with it. Under the lock on the organization.
    """
    sent = by.organization.invitations.filter(state=State.OPEN, inviter=user_id)
    useless = sent.exclude(pk__in=sent.standing().values("pk"))
    dead = list(useless.select_for_update().order_by("pk"))
    Invitation.objects.filter(pk__in=[invitation.pk for invitation in dead]).update(
        state=State.REVOKED, ended_at=timezone.now()
    )
    record_each("invitation.revoked", dead, by=by)


def purge_invitations() -> int:
    """Deletes what ran out INVITATIONS_KEPT ago, in batches; two at once do no harm."""
    total = 0
    while number := _purge_batch(timezone.now() - settings.INVITATIONS_KEPT):
        total += number
    return total


@transaction.atomic
def _purge_batch(limit: datetime) -> int:
    return delete_invitations(
        Invitation.objects.filter(expires_at__lte=limit), at_most=PURGE_BATCH
    )


def delete_invitations(
    invitations: InvitationQuerySet, *, at_most: int | None = None
) -> int:
    """With the addresses that events call them by: nobody could forget those later.

    Locked first, in id order: what is sent again in this instant is not old any more.
    """
    rows = invitations.select_for_update().order_by("pk")[:at_most]
    ids = [invitation.pk for invitation in rows]
    audit.forget_labels("invitation", ids)
    Invitation.objects.filter(pk__in=ids).delete()
    return len(ids)


def _find(by: Seat, invitation_id: UUID) -> Invitation:
    by.require(Capability.MANAGE_INVITATIONS)
    own = by.organization.invitations.select_related("inviter")
    invitation = own.filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound
    by.require_grant(Role(invitation.role))
    return invitation


def _issue(by: Seat, invitation: Invitation, email: str, role: Role) -> None:
    """32 random bytes, of which only the SHA-256 is stored (OWASP ASVS 5.0, 6.5.2).

    Raises OrganizationInactive, AlreadyMember, TooManyInvitations.
    """
    _check_use(by, invitation, email)
    token = secrets.token_urlsafe(32)
    _store(
        invitation,
        email=email,
        email_key=email_key(email),
        role=role,
        inviter=by.user,
        token_digest=digest(token),
        expires_at=timezone.now() + settings.INVITATION_LIFETIME,
    )
    key = invitation.email_key
    # Beyond that number it stands in the list of the invited, and no mail is sent.
    if rates.allows("invited", key, settings.INVITATIONS_PER_ADDRESS_OF_ALL):
        invitee = User.objects.existing().filter(email_key=key).first()
        mail.queue_invitation(invitation, token, by=by, invitee=invitee)


def _store(invitation: Invitation, **changes: Any) -> None:
    """Raises NotFound where it was purged, or forgotten, meanwhile: neither waits for the
    lock on the organization.
    """
    for name, value in changes.items():
        setattr(invitation, name, value)
    if invitation._state.adding:
        invitation.save()
    elif not Invitation.objects.filter(pk=invitation.pk).update(**changes):
        raise NotFound


def _check_use(by: Seat, invitation: Invitation, email: str) -> None:
    """Whether it could be accepted, and may be open."""
    organization = by.organization
    if not organization.is_active:
        raise OrganizationInactive
    _refuse_member(by, email)
    number = organization.invitations.pending().count()
    # One that ran out comes back as an open one more.
    if not invitation.is_pending and number >= settings.INVITATIONS_PER_ORGANIZATION:
        raise TooManyInvitations


def _refuse_member(by: Seat, email: str) -> None:
    if by.organization.memberships.listed().with_email(email).exists():
        raise AlreadyMember


def _count(by: Seat, key: str) -> None:
    """Before the transaction, which a refusal would roll back. Raises TooManyRequests."""
    here = str(by.organization.pk)
    rates.enforce_all("invitations", here, settings.INVITATIONS_PER_TENANT)
    rates.enforce_all("inviter", str(by.user.pk), settings.INVITATIONS_PER_INVITER)
    rates.enforce_all("invited", f"{here} {key}", settings.INVITATIONS_PER_ADDRESS)
