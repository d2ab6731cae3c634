"""How PostgreSQL would run the statements of a call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from psycopg import ClientCursor

ON_POSTGRESQL = settings.DATABASES["default"]["ENGINE"] == "config.postgresql"
postgresql = pytest.mark.skipif(not ON_POSTGRESQL, reason="only PostgreSQL says so")


@contextmanager
def plans(part: str, *, general: bool = False) -> Iterator[list[str]]:
    """Of every statement that has this part and is made within. The general plan is that
    of a statement that was prepared, made for whatever values may come.
    """
    found: list[str] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if part in sql:
            found.append(_general(sql, params) if general else _plan(sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(explain):
        yield found


def _plan(sql: str, params: Any) -> str:
    # The client puts the values in: the server would not, in an EXPLAIN EXECUTE.
    with ClientCursor(connection.connection) as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


def _general(sql: str, params: Any) -> str:
    places = (f"${number}" for number in range(1, len(params) + 1))
    with ClientCursor(connection.connection) as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        prepared = sql.replace("%s", "{}").format(*places)
        cursor.execute(f"PREPARE general AS {prepared}".encode())
    plan = _plan(f"EXECUTE general ({', '.join(['%s'] * len(params))})", params)
    with ClientCursor(connection.connection) as cursor:
        cursor.execute("DEALLOCATE general")
    return plan


def prefer_indexes() -> None:
    """As for tables worth it, until the end of the test's transaction."""
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
