"""Organizations with people in every role, and how tests write of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import User
from organizations.models import Membership, Organization
from organizations.roles import Role
from organizations.seats import Seat, take_seat
from tests.factories import UserFactory
from tests.mailbox import token


@dataclass(frozen=True)
class Tenant:
    """An organization, and one person in each role."""

    organization: Organization
    owner: User
    admin: User
    member: User

    @property
    def url(self) -> str:
        return f"/organizations/{self.organization.pk}"

    def member_url(self, person: User) -> str:
        return f"{self.url}/members/{person.pk}"

    def seat(self, person: User) -> Seat:
        return take_seat(person, self.organization.pk)


def make_organization(name: str = "Acme", **fields: Any) -> Organization:
    slug = fields.pop("slug", name.lower().replace(" ", "-"))
    return Organization.objects.create(name=name, slug=slug, **fields)


def make_tenant(name: str = "Acme", **fields: Any) -> Tenant:
    organization = make_organization(name, **fields)
    people = [
        add_member(organization, role, first_name=f"{name} {role}") for role in ROLES
    ]
    return Tenant(organization, *people)


ROLES: Sequence[Role] = (Role.OWNER, Role.ADMIN, Role.MEMBER)


def add_member(
    organization: Organization,
    role: Role = Role.MEMBER,
    *,
    user: User | None = None,
    is_active: bool = True,
    **fields: Any,
) -> User:
    user = user or UserFactory.create(email_verified=True, **fields)
    Membership.objects.create(
        organization=organization, user=user, role=role, is_active=is_active
    )
    return user


def role_of(organization: Organization, person: User) -> Role | None:
    """As it is in the database now."""
    rows = Membership.objects.filter(organization=organization, user=person)
    role = rows.values_list("role", flat=True).first()
    return None if role is None else Role(role)


def invitation_token(address: str) -> str:
    """Out of the newest mail that invited this address."""
    return token("organizations.invitation", to=address)
