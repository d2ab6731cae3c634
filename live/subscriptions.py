"""The organizations that a socket follows, and as what its person is seated there."""

from collections.abc import Collection, Mapping
from uuid import UUID

from live.errors import TooManySubscriptions
from live.visibility import sees
from organizations.roles import Capability, Role

MAXIMUM = 500


class Subscriptions:
    """Only what the database has confirmed is followed; until then nothing is seen."""

    def __init__(self) -> None:
        self._roles: dict[UUID, Role | None] = {}

    @property
    def followed(self) -> list[UUID]:
        return [pk for pk, role in self._roles.items() if role is not None]

    @property
    def requested(self) -> list[UUID]:
        """Also what the database has not confirmed yet."""
        return list(self._roles)

    def request(self, organization_id: UUID) -> None:
        """Raises TooManySubscriptions."""
        if organization_id not in self._roles and len(self._roles) >= MAXIMUM:
            raise TooManySubscriptions
        self._roles.setdefault(organization_id, None)

    def confirm(self, organization_id: UUID, role: Role) -> bool:
        """False where it was lost again while the database was asked."""
        if organization_id not in self._roles:
            return False
        self._roles[organization_id] = role
        return True

    def drop(self, organization_id: UUID) -> None:
        self._roles.pop(organization_id, None)

    def doubt(self) -> None:
        """The least of what may be seen, until the database has been asked."""
        for organization_id in self.followed:
            self._roles[organization_id] = Role.MEMBER

    def judge(self, roles: Mapping[UUID, Role], asked: Collection[UUID]) -> list[UUID]:
        """Takes over what was found; those of the asked that are lost."""
        lost = []
        for organization_id in set(asked) & set(self.followed):
            if organization_id in roles:
                self._roles[organization_id] = roles[organization_id]
            else:
                lost.append(organization_id)
        return lost

    def see(self, organization_id: UUID, needs: Capability) -> bool:
        return sees(self._roles.get(organization_id), needs)
