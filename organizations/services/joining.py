"""How anybody comes to be a member. The organization is locked, then the person."""

from uuid import UUID

from django.conf import settings

from accounts.models import User
from config.errors import PermissionDenied
from organizations.errors import AlreadyMember, TooManyMembers, TooManyOrganizations
from organizations.models import Membership, Organization
from organizations.roles import Role


def lock_person(user_id: UUID) -> User:
    """Who is let in and stays, and cannot be shut out until this is decided. Raises
    PermissionDenied.
    """
    person = lock_present(user_id)
    if person is None:
        raise PermissionDenied
    return person


def lock_present(user_id: UUID) -> User | None:
    """None where the person is shut out, or leaving."""
    people = User.objects.existing().filter(pk=user_id, is_active=True)
    return people.filter(leaving_since=None).locked().first()


def join(organization: Organization, person: User, role: Role) -> Membership:
    """Both are locked. Raises AlreadyMember, TooManyMembers, TooManyOrganizations."""
    if organization.memberships.filter(user=person).exists():
        raise AlreadyMember
    if organization.memberships.count() >= settings.MEMBERS_PER_ORGANIZATION:
        raise TooManyMembers
    # Superusers found them for others.
    most = settings.ORGANIZATIONS_PER_USER
    if not person.is_superuser and person.memberships.count() >= most:
        raise TooManyOrganizations
    return Membership.objects.create(organization=organization, user=person, role=role)
