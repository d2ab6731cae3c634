"""Indexes for the search for people; PostgreSQL alone has them.

`icontains` becomes `UPPER(column::text) LIKE UPPER('%…%')`: what is indexed is the left
side of that, word for word. Django could declare such an index only with an app of
PostgreSQL's own, which the other engine could not migrate.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import NotSupportedError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.searching import REVERSED

UPPER = "UPPER({column}::text)"
# What a change has added waits in a list that each search reads as well: a short one.
TRIGRAMS = (
    f"USING gin ({UPPER} {{schema}}.gin_trgm_ops) WITH (gin_pending_list_limit = 256)"
)
INDEXES = {
    "people_by_email_trigrams": ("email", TRIGRAMS),
    "people_by_first_name_trigrams": ("first_name", TRIGRAMS),
    "people_by_last_name_trigrams": ("last_name", TRIGRAMS),
    "people_by_end_of_address": (
        "email",
        f"({REVERSED.format(address=UPPER)} text_pattern_ops)",
    ),
}
ENABLE = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
# It may lie in a schema that is not searched.
SCHEMA = """
SELECT quote_ident(nspname) FROM pg_extension
JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'
"""
# What a build that was broken off leaves behind: written by every change, read by none.
BROKEN = """
SELECT EXISTS (
    SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid
)
"""
DROP = "DROP INDEX CONCURRENTLY IF EXISTS {name}"
CREATE = "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON accounts_user {definition}"

logger = structlog.get_logger("accounts")


def build(connection: BaseDatabaseWrapper) -> bool:
    """Makes those that are not there, or not whole, while the service goes on. Says
    whether they are there: not without the extension, which not everybody may create.

    Not within a transaction.
    """
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        schema = _schema_of_extension(cursor)
        if schema is None:
            return False
        with _unhurried(cursor):
            for name, (column, definition) in INDEXES.items():
                _build_one(cursor, name, definition.format(column=column, schema=schema))
            # Until then the planner takes every search for one that finds a lot.
            cursor.execute("ANALYZE accounts_user")
    return True


def drop(connection: BaseDatabaseWrapper) -> None:
    """The extension stays: somebody else may have made it, or use it."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor, _unhurried(cursor):
        for name in INDEXES:
            cursor.execute(DROP.format(name=name))


def _schema_of_extension(cursor: Any) -> str | None:
    try:
        cursor.execute(ENABLE)
    except (NotSupportedError, ProgrammingError) as exc:
        # Nothing but speed is lost, so nothing is refused: decisions/0009.
        logger.warning("search_indexes_left_out", reason=str(exc).splitlines()[0])
        return None
    cursor.execute(SCHEMA)
    [schema] = cursor.fetchone()
    return str(schema)


def _build_one(cursor: Any, name: str, definition: str) -> None:
    cursor.execute(BROKEN, [name])
    [is_broken] = cursor.fetchone()
    if is_broken:
        cursor.execute(DROP.format(name=name))
    cursor.execute(CREATE.format(name=name, definition=definition))


@contextmanager
def _unhurried(cursor: Any) -> Iterator[None]:
    """A build takes longer than a request may, and waits for transactions that are under
    way; nobody waits for it, since neither reads nor writes need its lock.
    """
    for limit in ("statement_timeout", "lock_timeout"):
        cursor.execute(f"SET {limit} = 0")
    try:
        yield
    finally:
        for limit in ("statement_timeout", "lock_timeout"):
            cursor.execute(f"RESET {limit}")
