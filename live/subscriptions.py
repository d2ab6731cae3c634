"""The organizations that a socket follows, and as what its person is seated there."""

from collections.abc import Collection, Mapping
from uuid import UUID

from live.errors import TooManySubscriptions
from live.visibility import sees
from organizations.roles import Capability, Role

MAXIMUM = 500


class Subscriptions:
    """What the database has confirmed is followed. `doubts` goes up with every change
    that is heard: an answer to a question from before it may be out of date.
    """

    def __init__(self) -> None:
        self.doubts = 0
        self._requested: set[UUID] = set()
        # None where nothing is shown until the database has been asked again.
        self._roles: dict[UUID, Role | None] = {}

    @property
    def followed(self) -> list[UUID]:
        return list(self._roles)

    @property
    def requested(self) -> list[UUID]:
        """Also what the database has not confirmed yet."""
        return list(self._requested)

    def request(self, organization_id: UUID) -> None:
        """Raises TooManySubscriptions."""
        if organization_id not in self._requested and len(self._requested) >= MAXIMUM:
            raise TooManySubscriptions
        self._requested.add(organization_id)

    def confirm(self, organization_id: UUID, role: Role) -> bool:
        """False where it was lost again while the database was asked."""
        if organization_id not in self._requested:
            return False
        self._roles[organization_id] = role
        return True

    def drop(self, organization_id: UUID) -> None:
        self._requested.discard(organization_id)
        self._roles.pop(organization_id, None)

    def doubt_role(self, organization_id: UUID) -> None:
        """Still a member: only what members see, until the database has been asked."""
        self.doubts += 1
        if organization_id in self._roles:
            self._roles[organization_id] = Role.MEMBER

    def doubt_all(self) -> None:
        """Perhaps no member at all: nothing is seen until then."""
        self.doubts += 1
        self._roles = dict.fromkeys(self._roles)

    def judge(
        self, roles: Mapping[UUID, Role], asked: Collection[UUID], doubts: int
    ) -> list[UUID]:
        """Takes over what was found, unless it was doubted meanwhile; those of the asked
        that are lost.
        """
        lost = []
        for organization_id in set(asked) & self._roles.keys():
            if organization_id not in roles:
                lost.append(organization_id)
            elif doubts == self.doubts:
                self._roles[organization_id] = roles[organization_id]
        return lost

    def see(self, organization_id: UUID, needs: Capability) -> bool:
        return sees(self._roles.get(organization_id), needs)
