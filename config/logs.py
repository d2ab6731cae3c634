"""Structured logs: JSON lines in production, readable lines in development.

structlog renders both its own events and those of the standard library, so that each
event is exactly one line, escaped, and carries the request id.
"""

import logging
import logging.config
from http import HTTPStatus
from typing import Any

import structlog
from structlog.types import EventDict, WrappedLogger

from config import context


def add_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    here = context.current()
    if here.request_id:
        event["request_id"] = here.request_id
    if here.session_id:
        event["session_id"] = str(here.session_id)
    return event


def drop_foreign_extras(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Uvicorn repeats its message with terminal colours in it."""
    event.pop("color_message", None)
    return event


def escape(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """For terminals: no value starts a line or a control sequence of its own."""
    for name, value in event.items():
        if name == "exception" and isinstance(value, str):
            # Indented, so that only an event begins a line.
            event[name] = "\n".join("    " + _printable(v) for v in value.split("\n"))
        elif isinstance(value, str):
            event[name] = _printable(value)
    return event


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


# Uvicorn writes the whole address of each socket, query and all, where the edge has a
# line of its own; and reports the garbage of a peer, and our refusals, as errors.
SOCKET_LINES = (
    '%s - "WebSocket',
    "connection open",
    "connection closed",
    "connection rejected",
    "Invalid UTF-8 sequence received from client.",
    "ASGI callable returned without completing handshake.",
)


def is_no_socket_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(SOCKET_LINES)


def is_crash(record: logging.LogRecord) -> bool:
    """Django takes every answer of 500 and above for an error: a 503 given on purpose has
    its access line, and should wake nobody.
    """
    status = getattr(record, "status_code", None)
    return bool(record.exc_info) or status == HTTPStatus.INTERNAL_SERVER_ERROR


SHARED: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    add_request,
    drop_foreign_extras,
]


def configure(settings: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING."""
    renderers: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
    ]
    if settings["format"] == "json":
        renderers += [structlog.processors.JSONRenderer()]
    else:
        renderers += [escape, structlog.dev.ConsoleRenderer(colors=False)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_standard_library(settings["level"], renderers))


def _standard_library(level: str, renderers: list[Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "events": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.stdlib.ExtraAdder(allow=["status_code"]),
                    *SHARED,
                ],
                "processors": renderers,
            }
        },
        "filters": {
            "no_socket_lines": {"()": lambda: is_no_socket_line},
            "crashes": {"()": lambda: is_crash},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Each refused call would be logged twice: the edge writes the access line.
            "django.request": {"level": "ERROR", "filters": ["crashes"]},
            "django.server": {"handlers": [], "propagate": False},
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {
                "handlers": [],
                "filters": ["no_socket_lines"],
                "propagate": True,
            },
            # A traceback a second while Redis is gone: live/listening.py says so once.
            "channels_redis.pubsub": {"level": "CRITICAL"},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }
