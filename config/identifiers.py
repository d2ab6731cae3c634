"""Identifiers of rows and requests: a leaf."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562 §5.7): ordered by time, so that indexes stay compact."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """No id that was made at that millisecond or later is smaller."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def read_id(text: str) -> UUID | None:
    """None for what is no id."""
    try:
        return UUID(text)
    except ValueError:
        return None
