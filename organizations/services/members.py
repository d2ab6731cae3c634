"""Members' roles and ends. Every change locks the organization and looks again."""

from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from config.errors import NotFound
from organizations.errors import AlreadyOwner, MemberInactive, NotAMember
from organizations.events import record
from organizations.models import Membership, MembershipQuerySet
from organizations.owners import keep_an_owner
from organizations.roles import Capability, Role
from organizations.seats import Seat, lock_seat
from organizations.services.inviting import withdraw_invitations
from organizations.services.joining import join, lock_present


@transaction.atomic
def add_member(*, by: Seat, user_id: UUID, role: Role) -> Membership:
    """Without asking the person: for superusers.

    Raises NotFound, RoleTooLow, RoleTooHigh, AlreadyMember, MemberInactive,
    TooManyMembers, TooManyOrganizations.
    """
    by = lock_seat(by)
    by.require_grant(role)
    if not User.objects.existing().filter(pk=user_id).exists():
        raise NotFound
    person = lock_present(user_id)
    if person is None:
        raise MemberInactive
    membership = join(by.organization, person, role)
    record("member.joined", by=by, target=person, role=role.value)
    return membership


@transaction.atomic
def update_member(
    *, by: Seat, user_id: UUID, role: Role | None = None, is_active: bool | None = None
) -> Membership:
    """Raises NotFound, RoleTooLow, RoleTooHigh, LastOwner."""
    by = lock_seat(by)
    membership = _find_touchable(by, user_id)
    new_role = Role(role or membership.role)
    stays_active = membership.is_active if is_active is None else is_active
    by.require_grant(new_role)
    if new_role == Role.OWNER and stays_active:
        _become_owner(membership)
    else:
        _give_up_ownership(by, membership)
    _set_role(by, membership, new_role)
    _set_activity(by, membership, active=stays_active)
    withdraw_invitations(by=by, user_id=user_id)
    return membership


@transaction.atomic
def remove_member(*, by: Seat, user_id: UUID) -> None:
    """Raises NotFound, RoleTooLow, RoleTooHigh, LastOwner."""
    by = lock_seat(by)
    _end(by, _find_touchable(by, user_id))


@transaction.atomic
def leave_organization(*, by: Seat) -> None:
    """Raises LastOwner; NotAMember for a superuser who is none."""
    by = lock_seat(by)
    membership = by.organization.memberships.filter(user=by.user).first()
    if membership is None:
        raise NotAMember
    _end(by, membership)


@transaction.atomic
def transfer_ownership(*, by: Seat, user_id: UUID) -> None:
    """The member becomes owner, and the caller admin. A superuser who is none of the
    owners only makes one.

    Raises RoleTooLow, AlreadyOwner, NotFound, MemberInactive.
    """
    by = lock_seat(by)
    by.require(Capability.TRANSFER_OWNERSHIP)
    if user_id == by.user.pk:
        raise AlreadyOwner
    successor = _find_successor(by, user_id)
    if by.as_superuser and successor.role == Role.OWNER:
        raise AlreadyOwner
    _set_role(by, successor, Role.OWNER)
    own = by.organization.memberships.filter(user=by.user, role=Role.OWNER).first()
    if own is not None:
        _set_role(by, own, Role.ADMIN)
        withdraw_invitations(by=by, user_id=by.user.pk)
    record("ownership.transferred", by=by, target=successor.user)


def _find_successor(by: Seat, user_id: UUID) -> Membership:
    membership = _find(by, user_id)
    if not membership.is_active or lock_present(user_id) is None:
        raise MemberInactive
    return membership


def _find_touchable(by: Seat, user_id: UUID) -> Membership:
    by.require(Capability.MANAGE_MEMBERS)
    membership = _find(by, user_id)
    by.require_grant(Role(membership.role))
    return membership


def _find(by: Seat, user_id: UUID) -> Membership:
    members = by.organization.memberships.listed().select_related("user")
    membership = members.filter(user_id=user_id).first()
    if membership is None:
        raise NotFound
    return membership


def _end(by: Seat, membership: Membership) -> None:
    _give_up_ownership(by, membership)
    number, _ = _row(membership).delete()
    if not number:
        raise NotFound
    removed = membership.user_id != by.user.pk
    record(
        "member.left",
        by=by,
        target=membership.user,
        role=membership.role,
        removed=removed,
    )
    withdraw_invitations(by=by, user_id=membership.user_id)


def _give_up_ownership(by: Seat, membership: Membership) -> None:
    if membership.role == Role.OWNER and membership.is_active:
        keep_an_owner(by.organization, without=membership.user_id)


def _become_owner(membership: Membership) -> None:
    """Locked, so that nobody who is just going is relied upon, nor who comes back to go
    again. Who is out may be an owner, and counts for nothing.
    """
    everybody = User.objects.get_queryset()
    everybody.filter(pk=membership.user_id).locked().first()


def _set_role(by: Seat, membership: Membership, role: Role) -> None:
    previous = membership.role
    if role != previous:
        _write(membership, role=role)
        record(
            "member.role_changed",
            by=by,
            target=membership.user,
            role=role.value,
            previous_role=str(previous),
        )


def _set_activity(by: Seat, membership: Membership, *, active: bool) -> None:
    if active != membership.is_active:
        _write(membership, is_active=active)
        action = "member.activated" if active else "member.deactivated"
        record(action, by=by, target=membership.user, role=str(membership.role))


def _write(membership: Membership, **changes: Any) -> None:
    """Raises NotFound where the person was anonymised meanwhile: that takes memberships
    away without the organization's lock.
    """
    if not _row(membership).update(**changes):
        raise NotFound
    for name, value in changes.items():
        setattr(membership, name, value)


def _row(membership: Membership) -> MembershipQuerySet:
    return Membership.objects.filter(pk=membership.pk)
