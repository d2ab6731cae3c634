"""Fields of input that several apps take."""

import json
from typing import Any
from uuid import UUID

from rest_framework import serializers

from config.api.problems import FIELD_CODES
from config.lines import CONTROL_CHARACTERS, has_control_characters


class LineField(serializers.CharField):
    """Text of one line, trimmed: control characters are refused, all else is kept."""

    default_error_messages = {CONTROL_CHARACTERS: FIELD_CODES[CONTROL_CHARACTERS]}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        # NUL is a control character too, but has a word of its own.
        if has_control_characters(text.replace("\0", "")):
            self.fail(CONTROL_CHARACTERS)
        return text


class IdField(serializers.UUIDField):
    """A UUID as text: DRF would take the number 1, and true, for one as well."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class ObjectField(serializers.DictField):
    """A JSON object of the client's own: lists of rows carry it, so it is bounded."""

    default_error_messages = {
        "max_length": "Ensure that this object has no more than {kibibytes} KiB of JSON."
    }

    def __init__(self, *, kibibytes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kibibytes = kibibytes

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = super().to_internal_value(data)
        size = len(json.dumps(found, ensure_ascii=False).encode())
        if size > self.kibibytes * 1024:
            self.fail("max_length", kibibytes=self.kibibytes)
        return found


def without_null(attrs: dict[str, Any]) -> dict[str, Any]:
    """Null and empty are one thing in the database: the empty text."""
    return {name: "" if value is None else value for name, value in attrs.items()}
