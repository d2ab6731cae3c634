"""Queries whose SQL is written once in each process: a leaf.

Django writes the SQL of a query anew each time it runs: more than half of what
`GET /users/me` cost. Where that shows, the ORM writes it here, once, with places for what
differs from call to call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Field, QuerySet


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value goes, and the field that it is compared with."""

    positions: tuple[int, ...]
    field: "Field[Any, Any]"


@dataclass(frozen=True, slots=True)
class Statement:
    """`converters`: by position, what makes a database's value one of Python."""

    sql: str
    parameters: tuple[Any, ...]
    places: tuple[Place, ...]
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]

    def rows(self, *values: Any) -> list[list[Any]]:
        """Values in the order in which `write` was given theirs."""
        parameters = list(self.parameters)
        for place, value in zip(self.places, values, strict=True):
            prepared = place.field.get_db_prep_value(value, connection)
            for position in place.positions:
                parameters[position] = prepared
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            found = [list(row) for row in cursor.fetchall()]
        return [self._converted(row) for row in found]

    def _converted(self, row: list[Any]) -> list[Any]:
        for position, (converters, expression) in self.converters.items():
            for convert in converters:
                row[position] = convert(row[position], expression, connection)
        return row


def write(
    query: QuerySet[Any, Any], *stand_ins: tuple["Field[Any, Any]", Any]
) -> Statement:
    """Of a `values_list`. A stand-in is a value in the query that each run replaces, with
    its field; it must be unlike every other. For the engine of this connection.

    Raises ValueError where a stand-in is not in the query.
    """
    compiler = query.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    places = tuple(_place(parameters, field, value) for field, value in stand_ins)
    return Statement(sql, tuple(parameters), places, converters)


def _place(parameters: Sequence[Any], field: "Field[Any, Any]", value: Any) -> Place:
    prepared = field.get_db_prep_value(value, connection)
    positions = tuple(n for n, found in enumerate(parameters) if found == prepared)
    if not positions:
        raise ValueError(value)
    return Place(positions, field)
