"""Who acts where, and as what: the actor of every service here."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from accounts.models import User
from audit.models import Event, EventQuerySet
from config.errors import NotFound
from organizations.errors import NotAMember, RoleTooHigh, RoleTooLow
from organizations.models import (
    Invitation,
    InvitationQuerySet,
    Membership,
    Organization,
    OrganizationQuerySet,
)
from organizations.roles import NEEDS, Capability, Role, has


@dataclass(frozen=True, slots=True)
class Seat:
    """A person in an organization. Made by `take_seat`, and by nothing else.

    A superuser's is an owner's, everywhere; `as_superuser` where the person's own role
    would not have been.
    """

    user: User
    organization: Organization
    role: Role
    as_superuser: bool = False

    def can(self, capability: Capability) -> bool:
        return has(self.role, capability)

    def can_grant(self, role: Role) -> bool:
        """Also take away, and touch whoever has it: only an owner deals in owners."""
        dealing_in_owners = role != Role.OWNER or self.can(Capability.MANAGE_OWNERS)
        return self.can(Capability.MANAGE_MEMBERS) and dealing_in_owners

    @property
    def organization_events(self) -> EventQuerySet:
        return Event.objects.filter(organization_id=self.organization.pk)

    def require(self, capability: Capability) -> None:
        """Raises RoleTooLow."""
        if not self.can(capability):
            raise RoleTooLow(needs=NEEDS[capability])

    def require_grant(self, *roles: Role) -> None:
        """Raises RoleTooLow, RoleTooHigh."""
        self.require(Capability.MANAGE_MEMBERS)
        if not all(self.can_grant(role) for role in roles):
            raise RoleTooHigh


def take_seat(user: User, address: object) -> Seat:
    """In the organization with this id or slug, in one statement.

    One answer for "unknown" and "not yours": a stranger must not learn which exist.
    Raises NotAMember; for superusers NotFound.
    """
    organization = Organization.objects.seen_by(user.pk).at(str(address)).first()
    return _seat(user, organization)


def roles_of(seats: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Role]:
    """Of each (person, organization) the role that `take_seat` would find, in three
    statements; who has no seat is missing.
    """
    wanted = set(seats)
    people = {user_id for user_id, _ in wanted}
    tenants = {organization_id for _, organization_id in wanted}
    members = Membership.objects.active().filter(
        user__in=people, organization__in=tenants, organization__is_active=True
    )
    found = {
        (user_id, organization_id): Role(role)
        for user_id, organization_id, role in members.values_list(
            "user_id", "organization_id", "role"
        )
    }
    superusers = User.objects.existing().filter(pk__in=people, is_superuser=True)
    everywhere = set(superusers.values_list("pk", flat=True))
    there = Organization.objects.filter(pk__in=tenants)
    existing = set(there.values_list("pk", flat=True))
    found |= {
        (user_id, organization_id): Role.OWNER
        for user_id, organization_id in wanted
        if user_id in everywhere and organization_id in existing
    }
    return {seat: role for seat, role in found.items() if seat in wanted}


def organizations_of(user: User, *, is_active: bool) -> list[Organization]:
    """Those that the person belongs to, by name, with role and counts, in one statement.

    `is_active` is the membership's; who is shut out of one still sees which it is, and
    nothing of what is kept in it.
    """
    rows = Organization.objects.seen_by(user.pk, is_active=is_active)
    mine = rows.filter(Q(own_membership__isnull=False), is_active=True)
    named = mine.with_member_counts().order_by("name", "pk")
    if is_active:
        return list(named)
    return [organization.without_contents() for organization in named]


def all_organizations(superuser: User) -> OrganizationQuerySet:
    """With the superuser's own role, and counts, in the same statement."""
    return Organization.objects.seen_by(superuser.pk).with_member_counts()


def invitations_of(user: User) -> InvitationQuerySet:
    """The person's open ones, oldest first; none to an address not shown to be theirs."""
    if not user.email_verified:
        return Invitation.objects.none()
    own = Invitation.objects.standing().for_email_key(user.email_key)
    oldest_first = own.order_by("created_at", "pk")
    return oldest_first.with_inviters().select_related("organization")


def lock_seat(by: Seat) -> Seat:
    """The same as it is now, with the organization locked: what was allowed before the
    lock was waited for may not be any more. In a transaction; raises as `take_seat`.
    """
    # In a statement of its own: PostgreSQL locks nothing on the outer side of a join.
    Organization.objects.filter(pk=by.organization.pk).locked().first()
    user = User.objects.existing().filter(pk=by.user.pk, is_active=True).first()
    if user is None:
        raise NotAMember
    return take_seat(user, by.organization.pk)


def _seat(user: User, organization: Organization | None) -> Seat:
    if user.is_superuser:
        if organization is None:
            raise NotFound
        as_owner = organization.my_role == Role.OWNER and organization.is_active
        return Seat(user, organization, Role.OWNER, as_superuser=not as_owner)
    if organization is None or organization.my_role is None or not organization.is_active:
        raise NotAMember
    return Seat(user, organization, Role(organization.my_role))
