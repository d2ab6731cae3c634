import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog


class Log:
    """What the service's own handler writes, in the form in which it writes it."""

    def __init__(self, written: io.StringIO) -> None:
        self.written = written

    @property
    def text(self) -> str:
        return self.written.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Lines whose event begins so."""
        return [line for line in self.lines if line["event"].startswith(event)]


@pytest.fixture
def log() -> Iterator[Log]:
    [handler] = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
        and isinstance(handler, logging.StreamHandler)
    ]
    written = io.StringIO()
    before = handler.setStream(written)
    yield Log(written)
    handler.setStream(before)
