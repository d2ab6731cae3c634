"""An organization always has an active owner: one who is let in and is not leaving.

Locks are taken in one order: organizations, then people. Members change under the lock on
their organization, and whoever becomes an owner there is locked as a person; people are
shut out under a lock on all that they own. So each sees what the other has done.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from accounts.errors import LastOwner
from config.errors import DomainError
from organizations.models import Membership, Organization, OrganizationQuerySet


def keep_an_owner(organization: Organization, *, without: UUID) -> None:
    """Before this person stops being an owner; the organization is locked. Raises
    LastOwner.
    """
    others = organization.memberships.owning().exclude(user_id=without)
    if not others.exists():
        raise LastOwner(organizations=[organization.reference])


def owned_by(user_ids: Sequence[UUID]) -> OrganizationQuerySet:
    """What is at stake where these go (`accounts.departures`)."""
    return Organization.objects.owned_by(user_ids)


def hold_last_owners(user_ids: Sequence[UUID]) -> dict[UUID, DomainError]:
    """A guard of `accounts.departures`: who would leave an organization without an active
    owner, and which. If two together would, neither may go.
    """
    organizations = owned_by(user_ids).in_bulk()
    owning = Membership.objects.owning().filter(organization__in=organizations)
    left_alone: dict[UUID, list[Organization]] = defaultdict(list)
    going = set(user_ids)
    for pk, owners in _by_organization(owning.values_list("organization_id", "user_id")):
        if owners <= going:
            for user_id in owners:
                left_alone[user_id].append(organizations[pk])
    return {
        user_id: LastOwner(organizations=[o.reference for o in alone])
        for user_id, alone in left_alone.items()
    }


def _by_organization(
    pairs: Iterable[tuple[UUID, UUID]],
) -> Iterable[tuple[UUID, set[UUID]]]:
    owners: dict[UUID, set[UUID]] = defaultdict(set)
    for organization_id, user_id in pairs:
        owners[organization_id].add(user_id)
    return owners.items()
