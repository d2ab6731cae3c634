"""What a store of counts is asked, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

# Counts that depend on nothing.
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Count:
    """`remaining` is how many seconds the window goes on."""

    number: int
    remaining: int


class Store(Protocol):
    def hit(
        self, periods: Mapping[str, int], unless: Mapping[str, str] = NOTHING
    ) -> dict[str, Count]:
        """Counts one more of each key, in windows of so many seconds; not of one of
        `unless`, and it is missing in the answer, where the other key stands.
        """

    def give_back(self, keys: Sequence[str]) -> None:
        """Takes one off each."""

    def settle(self, account: "Settlement") -> None:
        """All of it, in one round trip where there is one."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`renewed` begin anew, at one, with a window of so many seconds."""

    forgotten: Sequence[str] = ()
    given_back: Sequence[str] = ()
    renewed: Mapping[str, int] = field(default_factory=dict)
