"""Each thread keeps its connection, and looks at it before it relies on it.

A pool asks `SELECT 1` each time it lends one, and so do Django's health checks: a second
round trip in every call. But a server that ended a connection has said so, and then the
socket is readable, which the kernel tells in a microsecond.
"""

import select
from typing import Any, Self

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.types.datetime import TimestamptzLoader


class Cursor(base.ServerBindingCursor, psycopg.Cursor[Any]):
    """Prepares what comes often, but for searches.

    The plan of a prepared statement is made before the text is known, and with an unknown
    text an index of trigrams is of no use.
    """

    def execute(
        self,
        query: Any,
        params: Any = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        if isinstance(query, str) and " LIKE " in query:
            prepare = False
        return super().execute(query, params, prepare=prepare, binary=binary)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.cursor_factory = Cursor
        # Psycopg puts its own in C in the place of this one. Django's loader replaces the
        # time zone of each value, in Python, which was an eighth of a list of 100 rows;
        # here the connection's time zone is UTC already.
        connection.adapters.register_loader("timestamptz", TimestamptzLoader)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django's, which would ask for the time zone of its own loader."""
        if name is None:
            return self.connection.cursor()
        return self.connection.cursor(
            name, scrollable=False, withhold=self.connection.autocommit
        )

    def is_usable(self) -> bool:
        """Whether the server still listens, as far as this side was told."""
        if self.connection is None:
            return False
        connection = self.connection.pgconn
        if connection.status != ConnStatus.OK:
            return False
        idle = connection.transaction_status == TransactionStatus.IDLE
        quiet = idle and not _has_news(connection.socket)
        return quiet or bool(super().is_usable())


def _has_news(socket: int) -> bool:
    """The end of the connection, or a notice: then the server is asked."""
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(0))
