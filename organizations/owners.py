"""An organization always has an active owner: one who is let in and is not leaving.

Members change under a lock on the organization. People are shut out under a lock on
their own rows, and the guard below locks what they own first. Who is relied upon as the
owner that stays is locked as well: nobody can be shut out while that is decided.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from accounts.errors import LastOwner
from accounts.models import User
from config.errors import DomainError
from organizations.models import Membership, Organization


def keep_an_owner(organization: Organization, *, without: UUID) -> None:
    """Before this person stops being an owner; the organization is locked. Raises
    LastOwner.
    """
    others = organization.memberships.owning().exclude(user_id=without)
    # Asked again once the lock is had: who went meanwhile is not among them.
    stays = User.objects.existing().filter(
        pk__in=others.values("user_id"), is_active=True, leaving_since=None
    )
    if not list(stays.locked().values_list("pk", flat=True)):
        raise LastOwner(organizations=[organization.reference])


def hold_last_owners(user_ids: Sequence[UUID]) -> dict[UUID, DomainError]:
    """A guard of `accounts.departures`: who would leave an organization without an active
    owner, and which. If two together would, neither may go.
    """
    rows = Organization.objects.owned_by(user_ids).locked()
    organizations = {organization.pk: organization for organization in rows}
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
