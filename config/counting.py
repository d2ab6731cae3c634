"""How many rows there are, where counting all of them would take seconds.

Up to BOUND they are counted. Beyond it PostgreSQL's planner says how many it expects,
and elsewhere it is told that there are more: no page waits for a look at a whole table.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

BOUND = 10_000
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Number:
    """`word` says what kind of number it is: none where it was counted."""

    value: int
    word: str = ""

    def __str__(self) -> str:
        if not self.word:
            return f"{self.value:,}"
        if self.value < MILLION:
            return f"{self.word} {self.value:,}"
        return f"{self.word} {self.value / MILLION:.1f} million"


def bounded(rows: QuerySet[Any], bound: int = BOUND) -> int:
    """Exact up to `bound`; one more where there are more."""
    return rows.order_by().values("pk")[: bound + 1].count()


def number_of(rows: QuerySet[Any]) -> Number:
    counted = bounded(rows)
    if counted <= BOUND:
        return Number(counted)
    if connection.vendor != "postgresql":
        return Number(BOUND, "more than")
    return Number(max(BOUND, _rounded(_expected(rows))), "about")


def _expected(rows: QuerySet[Any]) -> int:
    """By what the planner knows of the tables since it last looked at them."""
    plan = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def _rounded(value: int) -> int:
    """To two digits: the others would say more than is known."""
    step = int(10 ** max(0, len(str(value)) - 2))
    return round(value / step) * step
