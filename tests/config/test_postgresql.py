"""A thread's own connection to PostgreSQL: looked at before it is relied on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from select import select
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DataError, connections

from config.postgresql.base import DatabaseWrapper

PATIENCE_SECONDS = 5
ENGINE = settings.DATABASES["default"]["ENGINE"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ENGINE != "config.postgresql", reason="only PostgreSQL has it"),
]


@pytest.fixture
def kept() -> Iterator[Any]:
    """A connection as a thread of the server keeps it, apart from the test's."""
    wrapper = DatabaseWrapper(connections["default"].settings_dict, "kept")
    wrapper.connect()
    yield wrapper
    wrapper.close()


def one(wrapper: Any, sql: str, *values: object) -> Any:
    with wrapper.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


def test_a_quiet_connection_is_relied_on_without_a_word(kept: Any) -> None:
    pid = one(kept, "SELECT pg_backend_pid()")
    assert kept.is_usable()
    heard = "SELECT query FROM pg_stat_activity WHERE pid = %s"
    assert one(connections["default"], heard, pid) == "SELECT pg_backend_pid()"


def test_a_connection_that_the_server_ended_is_not_used_again(
    kept: Any,
) -> None:
    pid = one(kept, "SELECT pg_backend_pid()")
    assert one(connections["default"], "SELECT pg_terminate_backend(%s, 5000)", pid)
    assert not kept.is_usable()
    kept.health_check_enabled, kept.health_check_done = True, False
    assert one(kept, "SELECT pg_backend_pid()") != pid


def test_a_connection_in_a_failed_transaction_is_not_relied_on(
    kept: Any,
) -> None:
    with kept.cursor() as cursor:
        cursor.execute("BEGIN")
        with pytest.raises(DataError):
            cursor.execute("SELECT 1 / 0")
    assert not kept.is_usable()


def test_a_word_of_the_server_is_no_end_of_it(kept: Any) -> None:
    """It is asked then, and answers."""
    with kept.cursor() as cursor:
        cursor.execute("LISTEN something")
    with psycopg.connect(kept.connection.info.dsn, autocommit=True) as other:
        other.execute("NOTIFY something")
    readable, _, _ = select([kept.connection.pgconn.socket], [], [], PATIENCE_SECONDS)
    assert readable
    assert kept.is_usable()


def test_times_are_in_utc(kept: Any) -> None:
    moment = one(kept, "SELECT timestamptz '2026-11-24 12:00:00.000001+02'")
    assert moment == datetime(2026, 11, 24, 10, 0, 0, 1, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(0)


def test_a_named_cursor_reads_times_as_well(kept: Any) -> None:
    kept.ensure_connection()
    with kept.chunked_cursor() as cursor:
        cursor.execute(
            "SELECT timestamptz '2026-11-24 12:00:00+00' FROM generate_series(1, 3)"
        )
        assert cursor.fetchall() == [(datetime(2026, 11, 24, 12, tzinfo=UTC),)] * 3


@pytest.mark.parametrize(("operator", "number"), [("LIKE", 0), ("=", 1)])
def test_what_comes_often_is_prepared_unless_it_searches(
    kept: Any, operator: str, number: int
) -> None:
    asked = f"SELECT 1 WHERE 'abc' {operator} %s"
    for _ in range(7):
        with kept.cursor() as cursor:
            cursor.execute(asked, ["abc"])
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s"
    assert one(kept, prepared, f"%'abc' {operator} %") == number
