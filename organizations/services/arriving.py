"""Invitations from the side of those who are invited."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.addresses import same_mailbox
from accounts.errors import EmailNotVerified, InvitationForAnother, InvitationInvalid
from accounts.models import User
from accounts.proofs import digest
from audit import services as audit
from organizations.models import (
    Invitation,
    InvitationQuerySet,
    Membership,
    Organization,
    State,
)
from organizations.roles import Role
from organizations.services.inviting import end_invitation
from organizations.services.joining import join, lock_person


def preview_invitation(*, token: str) -> Invitation:
    """With its organization; spends nothing. Raises InvitationInvalid."""
    rows = _by_token(token)
    _require_standing(rows)
    return _find(rows)


@transaction.atomic
def accept_invitation(
    *, user: User, token: str = "", invitation_id: UUID | None = None
) -> Membership:
    """By the token of the mail, or by the id. Once more, by whoever accepted it and is a
    member, is no fault: the answer was lost.

    Raises InvitationInvalid, InvitationForAnother, EmailNotVerified, AlreadyMember,
    TooManyMembers, TooManyOrganizations.
    """
    rows = _by_token(token) if token else _by_id(user, invitation_id)
    person, invitation = _lock(user, rows)
    if invitation.state == State.ACCEPTED:
        return _membership_of(person, invitation)
    _require_standing(rows)
    return _accept(person, invitation)


@transaction.atomic
def decline_invitation(
    *, user: User, token: str = "", invitation_id: UUID | None = None
) -> None:
    """Once more is no fault. Raises InvitationInvalid, InvitationForAnother,
    EmailNotVerified.
    """
    rows = _by_token(token) if token else _by_id(user, invitation_id)
    _, invitation = _lock(user, rows)
    if invitation.state == State.DECLINED:
        return
    if not invitation.is_pending:
        raise InvitationInvalid
    end_invitation(invitation, State.DECLINED)
    _record("invitation.declined", user, invitation)


def welcome_by_invitation(address: str, token: str) -> Callable[[User], None]:
    """A host of `accounts.arrivals`. Raises InvitationInvalid, InvitationForAnother."""
    rows = _by_token(token)
    _lock_organization(rows)
    invitation = _find(rows)
    # The mail went to that very address: one that only has the same key proves nothing.
    if not same_mailbox(address, invitation.email):
        raise InvitationForAnother if invitation.is_pending else InvitationInvalid
    _require_standing(rows)
    return partial(_take_in, invitation)


def _take_in(invitation: Invitation, user: User) -> None:
    user.email_verified = True
    user.save(update_fields=["email_verified"])
    audit.record("email.verified", actor=user, target=user)
    _accept(user, invitation)


def _lock(user: User, rows: InvitationQuerySet) -> tuple[User, Invitation]:
    """The organization, then the person; and the invitation as it is then."""
    _lock_organization(rows)
    person = lock_person(user.pk)
    invitation = _find(rows)
    if person.email_key != invitation.email_key:
        # It stays open for whom it is meant.
        raise InvitationForAnother if invitation.is_pending else InvitationInvalid
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


def _require_standing(rows: InvitationQuerySet) -> None:
    """The inviter's right is looked at again. Raises InvitationInvalid."""
    if not rows.standing().exists():
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
