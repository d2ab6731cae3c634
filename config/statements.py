"""Queries whose SQL is written once in each process: a leaf.

Django writes the SQL of a query anew each time it runs: more than half of what
`GET /users/me` cost. Where that shows, the ORM writes it here, once, with places for what
differs from call to call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model, QuerySet
from django.db.models.sql import InsertQuery


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
        return self.read(self.sql, self.filled(values))

    def filled(self, values: Sequence[Any]) -> list[Any]:
        parameters = list(self.parameters)
        for place, value in zip(self.places, values, strict=True):
            prepared = place.field.get_db_prep_value(value, connection)
            for position in place.positions:
                parameters[position] = prepared
        return parameters

    def read(self, sql: str, parameters: Sequence[Any]) -> list[list[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
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


def insert(*rows: Model) -> None:
    """Adds new ones, as `save` does without its signals: a third of what it costs."""
    for row in rows:
        with connection.cursor() as cursor:
            cursor.execute(_insertion(type(row), connection.vendor), _values(row))
        _is_added(row)


def insert_and_ask(
    rows: Sequence[Model], question: Statement, *values: Any
) -> list[list[Any]]:
    """As `insert`, and what the statement finds, which must not depend on the new rows:
    with PostgreSQL all of it is one statement, which does not see them.
    """
    if connection.vendor != "postgresql":
        insert(*rows)
        return question.rows(*values)
    insertions = ", ".join(
        f"added_{number} AS ({_insertion(type(row), connection.vendor)})"
        for number, row in enumerate(rows)
    )
    parameters = [value for row in rows for value in _values(row)]
    found = question.read(
        f"WITH {insertions} {question.sql}", [*parameters, *question.filled(values)]
    )
    for row in rows:
        _is_added(row)
    return found


def _values(row: Model) -> list[Any]:
    return [
        field.get_db_prep_save(field.pre_save(row, add=True), connection)
        for field in row._meta.local_concrete_fields
    ]


def _is_added(row: Model) -> None:
    row._state.adding, row._state.db = False, connection.alias


@cache
def _insertion(model: type[Model], vendor: str) -> str:
    query = InsertQuery(model)
    # Any row: what it holds is no part of the SQL.
    query.insert_values(model._meta.local_concrete_fields, [model()])
    [(sql, _)] = query.get_compiler(connection=connection).as_sql()
    return str(sql)
