"""The databases of a run: made, filled, and dropped behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from benchmarks.failures import RunFailed
from benchmarks.processes import run_python
from benchmarks.sides import Side


@contextmanager
def filled(side: Side) -> Iterator[None]:
    """The people of the bench in PostgreSQL, and nothing in Redis."""
    _drop(side)
    _administer(side, "CREATE DATABASE {}")
    try:
        _store(side).flushdb()
        run_python(side.migrate, side.environment())
        run_python(side.seed, side.environment())
        with psycopg.connect(side.database_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield
    finally:
        _drop(side)
        _store(side).flushdb()


def check_counted(side: Side) -> None:
    """Raises RunFailed where Redis holds no count: a side would have skipped work."""
    if not _store(side).dbsize():
        raise RunFailed(f"{side.title} has counted no call in Redis.")


def versions(side: Side) -> dict[str, str]:
    with psycopg.connect(side.database_url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    postgres = str(row[0]) if row else "unknown"
    return {
        "PostgreSQL": postgres.split()[0],
        "Redis": str(_store(side).info("server")["redis_version"]),
    }


def _drop(side: Side) -> None:
    _administer(side, "DROP DATABASE IF EXISTS {} WITH (FORCE)")


def _administer(side: Side, statement: str) -> None:
    parts = urlsplit(side.database_url)
    name = sql.Identifier(parts.path.lstrip("/"))
    elsewhere = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(name))


def _store(side: Side) -> redis.Redis:
    return redis.Redis.from_url(side.redis_url)
