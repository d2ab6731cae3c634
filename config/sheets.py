"""Rows as a CSV file, of any number: made and sent batch by batch."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db.models import QuerySet

BATCH = 500
# What a spreadsheet would take for a formula (OWASP: CSV injection).
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")

JSON = orjson.OPT_UTC_Z


def as_csv(
    rows: QuerySet[Any],
    describe: Callable[[Any], Mapping[str, Any]],
    columns: Sequence[str],
) -> Iterator[bytes]:
    """RFC 4180 in UTF-8; what is no text stands as JSON."""
    yield _lines([columns])
    for batch in batches(rows):
        described = (describe(row) for row in batch)
        yield _lines([[_cell(row[name]) for name in columns] for row in described])


def batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Newest first, each batch by where the last ended: a slow reader holds no cursor."""
    rest = rows.order_by("-pk")
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
        text = orjson.dumps(value, option=JSON).decode().strip('"')
    return f"'{text}" if text.startswith(FORMULAS) else text
