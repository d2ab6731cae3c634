"""Events as a file, of any number: made and sent batch by batch."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from audit.models import Event, EventQuerySet

BATCH = 500
# What a spreadsheet would take for a formula (OWASP: CSV injection).
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")

_JSON = orjson.OPT_UTC_Z
Describe = Callable[[Event], Mapping[str, Any]]


def as_jsonl(events: EventQuerySet, describe: Describe) -> Iterator[bytes]:
    for batch in _batches(events):
        yield b"".join(orjson.dumps(describe(e), option=_JSON) + b"\n" for e in batch)


def as_csv(
    events: EventQuerySet, describe: Describe, columns: Sequence[str]
) -> Iterator[bytes]:
    """RFC 4180 in UTF-8; what is no text stands as JSON."""
    yield _lines([columns])
    for batch in _batches(events):
        rows = (describe(event) for event in batch)
        yield _lines([[_cell(row[name]) for name in columns] for row in rows])


def _batches(events: EventQuerySet) -> Iterator[list[Event]]:
    """Newest first, each batch by where the last ended: a slow reader holds no cursor."""
    rest = events.order_by("-pk")
    while batch := list(rest[:BATCH]):
        yield batch
        rest = rest.filter(pk__lt=batch[-1].pk)


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    text = "" if value in (None, {}) else str(value)
    if isinstance(value, dict | datetime) and value:
        text = orjson.dumps(value, option=_JSON).decode().strip('"')
    return f"'{text}" if text.startswith(FORMULAS) else text
