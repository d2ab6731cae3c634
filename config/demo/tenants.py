"""Demo organizations: a few have thousands of members, most a handful, each an owner who
is there.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings

from config.demo import names
from config.demo.plan import Plan, between, is_present, mix
from config.demo.tables import Row, Table
from organizations.models import Membership, Organization
from organizations.roles import Role

COLUMNS = ("id", "name", "slug", "description", "is_active", "settings", "created_at")
MEMBER_COLUMNS = (
    "id",
    "organization_id",
    "user_id",
    "role",
    "is_active",
    "joined_at",
)
# The n-th of a run has an n-th of the largest, and never less than a small one.
LARGEST, SMALL = 5000, 25
PLACE_BITS = 13
# One in so many.
INACTIVE, SHUT_OUT, ADMINS, OWNERS = 100, 40, 10, 300
# A prime above any number of people: steps of it meet each of them once.
STEP = 2_147_483_647


def organizations(plan: Plan, span: range) -> Table:
    return Table(Organization, COLUMNS, _rows(plan, span))


def memberships(plan: Plan, span: range) -> Table:
    return Table(Membership, MEMBER_COLUMNS, _members(plan, span))


def first_free_number() -> int:
    """Behind every slug of earlier runs."""
    demo = Organization.objects.filter(slug__contains="-demo-")
    slugs = demo.values_list("slug", flat=True).iterator(chunk_size=10_000)
    return max(map(names.number_in, slugs), default=-1) + 1


def founded(plan: Plan, index: int) -> datetime:
    return plan.beginning + (plan.now - plan.beginning) * (index / plan.organizations)


def founder(plan: Plan, index: int) -> int:
    """The index of a person who was there by then, and still is."""
    person = mix(index) % plan.people_at(founded(plan, index))
    while not is_present(person):
        person -= 1
    return person


def tenant_id(plan: Plan, index: int) -> UUID:
    return plan.identifier(founded(plan, index), index)


def size(plan: Plan, index: int) -> int:
    largest = min(LARGEST, settings.MEMBERS_PER_ORGANIZATION, plan.users)
    return min(largest, max(largest // (index + 1), 1 + mix(index) % SMALL))


def _rows(plan: Plan, span: range) -> Iterator[Row]:
    for index in span:
        name, slug = names.tenant(plan.first_organization + index)
        yield (
            tenant_id(plan, index),
            name,
            slug,
            f"{name}, made up for a demonstration." if index % 2 else "",
            index % INACTIVE != INACTIVE - 1,
            {},
            founded(plan, index),
        )


def _members(plan: Plan, span: range) -> Iterator[Row]:
    for index in span:
        tenant, since = tenant_id(plan, index), founded(plan, index)
        first = founder(plan, index)
        for place in range(size(plan, index)):
            person = (first + place * STEP) % plan.users
            chance = mix(index << 16 | place)
            earliest = max(since, plan.joined(person))
            joined = between(earliest, plan.now, chance) if place else since
            yield (
                plan.identifier(joined, index << PLACE_BITS | place),
                tenant,
                plan.person_id(person),
                _role(place).value,
                place == 0 or chance % SHUT_OUT > 0,
                joined,
            )


def _role(place: int) -> Role:
    if place % OWNERS == 0:
        return Role.OWNER
    return Role.ADMIN if place % ADMINS == 0 else Role.MEMBER
