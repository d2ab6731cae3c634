"""Events as a file, of any number: made and sent batch by batch."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from audit.models import Event, EventQuerySet
from config.sheets import JSON, batches

Describe = Callable[[Event], Mapping[str, Any]]


def as_jsonl(events: EventQuerySet, describe: Describe) -> Iterator[bytes]:
    for batch in batches(events):
        yield b"".join(orjson.dumps(describe(e), option=JSON) + b"\n" for e in batch)
