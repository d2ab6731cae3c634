"""How many rows there are, where counting all of them would take seconds.

Up to BOUND they are counted. Beyond it PostgreSQL's planner says how many it expects,
and elsewhere it is told that there are more: no page waits for a look at a whole table.
What happened within a time is counted in samples of it: the planner knows too little of
the newest rows.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet

from config.identifiers import first_id_at

BOUND = 10_000
# Of a time: so many samples, each this share of its part.
SAMPLES, SHARE = 8, 24
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


def number_within(
    rows: QuerySet[Any], start: datetime, end: datetime, by: str = "pk"
) -> Number:
    """Of rows with an index that ends in `by`: their UUIDv7, or a moment."""
    narrow = _narrow_by_id if by == "pk" else _narrow_by_moment(by)
    counted = bounded(narrow(rows, start, end))
    if counted <= BOUND:
        return Number(counted)
    part = (end - start) / SAMPLES
    begins = [start + part * number for number in range(SAMPLES)]
    samples = [narrow(rows, begin, begin + part / SHARE) for begin in begins]
    first, *others = (sample.order_by().values("pk") for sample in samples)
    found = first.union(*others, all=True).count() * SHARE
    return Number(max(BOUND, _rounded(found)), "about")


Narrow = Callable[[QuerySet[Any], datetime, datetime], QuerySet[Any]]


def _narrow_by_id(rows: QuerySet[Any], start: datetime, end: datetime) -> QuerySet[Any]:
    return rows.filter(pk__gte=first_id_at(start), pk__lt=first_id_at(end))


def _narrow_by_moment(name: str) -> Narrow:
    def narrow(rows: QuerySet[Any], start: datetime, end: datetime) -> QuerySet[Any]:
        return rows.filter(**{f"{name}__gte": start, f"{name}__lt": end})

    return narrow


def most_common(model: type[Model], column: str) -> list[UUID]:
    """Of a column of ids, by PostgreSQL's statistics: those that stand out, commonest
    first. Elsewhere none.
    """
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT most_common_vals::text::uuid[] FROM pg_stats WHERE tablename = %s"
            " AND attname = %s AND schemaname = current_schema()",
            [model._meta.db_table, column],
        )
        row = cursor.fetchone()
    return list(row[0] or []) if row else []


def _expected(rows: QuerySet[Any]) -> int:
    """By what the planner knows of the tables since it last looked at them."""
    plan = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def _rounded(value: int) -> int:
    """To two digits: the others would say more than is known."""
    step = int(10 ** max(0, len(str(value)) - 2))
    return round(value / step) * step
