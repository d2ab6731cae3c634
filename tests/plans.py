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
def plans(part: str) -> Iterator[list[str]]:
    """Of every statement that has this part and is made within."""
    found: list[str] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if part in sql:
            found.append(_plan(sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(explain):
        yield found


def _plan(sql: str, params: Any) -> str:
    with ClientCursor(connection.connection) as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


def prefer_indexes() -> None:
    """As for tables worth it, until the end of the test's transaction."""
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
