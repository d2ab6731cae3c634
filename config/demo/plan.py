"""What one run of `seed_demo` makes, and what is known of each thing unseen.

Everything follows from the plan and an index, so a run holds no list in memory: whoever
writes a session works its person out again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

YEAR = timedelta(days=365)
WORD = (1 << 64) - 1
# Of an id: the first bits of the salt, the others, and the index.
HIGH_BITS, LOW_BITS, INDEX_BITS = 12, 22, 40
SALT_BITS = HIGH_BITS + LOW_BITS
# The share of people of each fate: one in so many, counted from the end of each group,
# so that the first of a run is always there.
INACTIVE, DELETED, LEAVING = 50, 250, 200


@dataclass(frozen=True)
class Plan:
    """An index counts within the run. A number is in addresses and slugs, and goes on
    where earlier runs stopped. `password` is a hash; `salt` keeps ids of runs apart.
    """

    users: int
    sessions: int
    organizations: int
    now: datetime
    salt: int
    password: str
    first_user: int = 0
    first_organization: int = 0

    @cached_property
    def beginning(self) -> datetime:
        return self.now - YEAR

    def joined(self, index: int) -> datetime:
        """When this person came; the one of a higher index came no earlier."""
        return self.beginning + YEAR * (index / self.users)

    def people_at(self, moment: datetime) -> int:
        """How many had come by then: those of the indexes below. At least one."""
        share = (moment - self.beginning) / YEAR
        return min(self.users, max(1, int(self.users * share)))

    def person_id(self, index: int) -> UUID:
        return self.identifier(self.joined(index), index)

    def identifier(self, moment: datetime, index: int) -> UUID:
        """A UUIDv7 (RFC 9562 §5.7) of that moment; within it in the order of indexes."""
        milliseconds = int(moment.timestamp() * 1000)
        high = milliseconds << 16 | 7 << HIGH_BITS | self.salt >> LOW_BITS
        low = 0b10 << 62 | (self.salt & (1 << LOW_BITS) - 1) << INDEX_BITS | index
        return UUID(int=high << 64 | low)


def is_inactive(index: int) -> bool:
    return index % INACTIVE == INACTIVE - 1


def is_deleted(index: int) -> bool:
    """Such a person is inactive too."""
    return index % DELETED == DELETED - 1


def is_leaving(index: int) -> bool:
    return index % LEAVING == LEAVING - 2


def is_present(index: int) -> bool:
    """As `User.is_present`."""
    return not (is_inactive(index) or is_leaving(index))


def mix(number: int) -> int:
    """64 bits that look like chance and are always the same (SplitMix64)."""
    number = number + 0x9E3779B97F4A7C15 & WORD
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & WORD
    number = (number ^ number >> 27) * 0x94D049BB133111EB & WORD
    return number ^ number >> 31


def between(earlier: datetime, later: datetime, chance: int) -> datetime:
    """Some moment of that time, by 16 bits of chance; `earlier` where it is the later."""
    if later <= earlier:
        return earlier
    return earlier + (later - earlier) * ((chance & 0xFFFF) / 0x10000)


def spans(number: int, size: int) -> Iterator[range]:
    for start in range(0, number, size):
        yield range(start, min(number, start + size))
