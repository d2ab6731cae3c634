"""Invitations from the side of those who are invited."""

from uuid import UUID

from django.db import transaction

from accounts.errors import EmailNotVerified, InvitationForAnother, InvitationInvalid
from accounts.models import User
from accounts.proofs import digest
from audit import services as audit
from organizations.errors import NotAMember
from organizations.models import (
    Invitation,
    InvitationQuerySet,
    Membership,
    Organization,
    State,
)
from organizations.roles import Role
from organizations.seats import take_seat
from organizations.services.inviting import end_invitation
from organizations.services.joining import join, lock_person


def preview_invitation(*, token: str) -> Invitation:
    """With its organization; spends nothing. Raises InvitationInvalid."""
    invitation = _find(_by_token(token))
    _require_standing(invitation)
    return invitation


@transaction.atomic
def accept_invitation(
    *, user: User, token: str = "", invitation_id: UUID | None = None
) -> Membership:
    """By the token of the mail, or by the id. Once more, by whoever accepted it and is a
    member, is no fault: the answer was lost.

    Raises InvitationInvalid, InvitationForAnother, EmailNotVerified, AlreadyMember,
    TooManyMembers, TooManyOrganizations.
    """
    person, invitation = _lock(user, token, invitation_id)
    if invitation.state == State.ACCEPTED:
        return _membership_of(person, invitation)
    _require_standing(invitation)
    return _accept(person, invitation)


@transaction.atomic
def decline_invitation(
    *, user: User, token: str = "", invitation_id: UUID | None = None
) -> None:
    """Once more is no fault. Raises InvitationInvalid, InvitationForAnother,
    EmailNotVerified.
    """
    _, invitation = _lock(user, token, invitation_id)
    if invitation.state == State.DECLINED:
        return
    if not invitation.is_pending:
        raise InvitationInvalid
    end_invitation(invitation, State.DECLINED)
    _record("invitation.declined", user, invitation)


def join_on_registration(user: User, token: str) -> None:
    """A host of `accounts.arrivals`: the token shows that the address is the person's.

    In the transaction that writes the account. Raises InvitationInvalid,
    InvitationForAnother.
    """
    rows = _by_token(token)
    _lock_organization(rows)
    invitation = _find(rows)
    _require_addressed_to(user, invitation)
    _require_standing(invitation)
    user.email_verified = True
    user.save(update_fields=["email_verified"])
    _accept(user, invitation)


def _lock(user: User, token: str, invitation_id: UUID | None) -> tuple[User, Invitation]:
    """The organization, then the person; and the invitation as it is then."""
    rows = _by_token(token) if token else _by_id(user, invitation_id)
    _lock_organization(rows)
    person = lock_person(user.pk)
    invitation = _find(rows)
    _require_addressed_to(person, invitation)
    if not person.email_verified:
        raise EmailNotVerified
    return person, invitation


def _lock_organization(rows: InvitationQuerySet) -> None:
    ids = rows.values("organization")
    Organization.objects.filter(pk__in=ids).locked().first()


def _by_token(token: str) -> InvitationQuerySet:
    return Invitation.objects.with_token(digest(token))


def _by_id(user: User, invitation_id: UUID | None) -> InvitationQuerySet:
    """Only the person's own: an id proves nothing, and another's does not exist."""
    own = Invitation.objects.for_email_key(user.email_key)
    return own.filter(pk=invitation_id) if invitation_id else own.none()


def _find(rows: InvitationQuerySet) -> Invitation:
    """Raises InvitationInvalid."""
    known = rows.filter(organization__is_active=True)
    invitation = known.select_related("organization", "inviter").first()
    if invitation is None:
        raise InvitationInvalid
    return invitation


def _require_addressed_to(person: User, invitation: Invitation) -> None:
    """Another's stays open for whom it is meant. Raises InvitationForAnother."""
    if person.email_key != invitation.email_key:
        raise InvitationForAnother


def _require_standing(invitation: Invitation) -> None:
    """Open, in time, and from somebody who still may grant this. Raises
    InvitationInvalid.
    """
    inviter = invitation.inviter
    if not invitation.is_pending or inviter is None or not inviter.is_present:
        raise InvitationInvalid
    try:
        seat = take_seat(inviter, invitation.organization_id)
    except NotAMember as exc:
        raise InvitationInvalid from exc
    if not seat.can_grant(Role(invitation.role)):
        raise InvitationInvalid


def _accept(person: User, invitation: Invitation) -> Membership:
    role = Role(invitation.role)
    membership = join(invitation.organization, person, role)
    end_invitation(invitation, State.ACCEPTED)
    _record("invitation.accepted", person, invitation)
    audit.record(
        "member.joined",
        actor=person,
        target=person,
        organization_id=invitation.organization_id,
        role=role.value,
    )
    return membership


def _membership_of(person: User, invitation: Invitation) -> Membership:
    own = invitation.organization.memberships.active().filter(user=person)
    membership = own.select_related("user").first()
    if membership is None:
        raise InvitationInvalid
    return membership


def _record(action: str, person: User, invitation: Invitation) -> None:
    audit.record(
        action,
        actor=person,
        target=invitation,
        organization_id=invitation.organization_id,
    )
