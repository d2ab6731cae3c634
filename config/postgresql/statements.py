"""Statements that must be planned for what they ask, each time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def unprepared() -> Iterator[None]:
    """A prepared statement has one plan for all values, which uses no partial index and
    looks for the rare as for the common. A connection that is only now opened has
    prepared nothing.
    """
    wire = connection.connection
    if connection.vendor != "postgresql" or wire is None:
        yield
        return
    before, wire.prepare_threshold = wire.prepare_threshold, None
    try:
        yield
    finally:
        wire.prepare_threshold = before
