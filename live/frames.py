"""Frames: JSON objects with a `type`. What clients may send, and what they are sent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from rest_framework.exceptions import ParseError, ValidationError

from config.api.parsers import read_json
from config.errors import DomainError, MalformedRequest, ValidationFailed

MAXIMUM_BYTES = 64 * 1024

Frame = Mapping[str, Any]


def encode(frame: Frame) -> str:
    return orjson.dumps(frame).decode()


def decode(content: bytes) -> Frame:
    """Raises MalformedRequest for what is no object with a type."""
    try:
        frame = read_json(content)
    except (ParseError, ValidationError) as exc:
        raise MalformedRequest from exc
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise MalformedRequest
    return frame


def read_text(frame: Frame, name: str) -> str:
    """Raises ValidationFailed."""
    value = frame.get(name)
    if not isinstance(value, str) or not value:
        raise ValidationFailed
    return value


def read_id(frame: Frame, name: str) -> UUID:
    """In the usual form (RFC 9562 §4), in either case. Raises ValidationFailed."""
    text = read_text(frame, name)
    try:
        value = UUID(text)
    except ValueError as exc:
        raise ValidationFailed from exc
    if str(value) != text.lower():
        raise ValidationFailed
    return value


def refusal(reason: DomainError) -> str:
    frame = {"type": "error", "code": reason.code, "message": reason.message}
    about = {"organization_id": reason.members.get("organization_id")}
    return encode(frame | {name: value for name, value in about.items() if value})


def about(kind: str, organization_id: UUID) -> str:
    return encode({"type": kind, "organization_id": str(organization_id)})


def moment(seconds: int) -> str:
    """Seconds since the epoch, as REST writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
