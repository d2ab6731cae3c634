"""JSON that is bounded before anything looks at it: depth, keys, NUL and surrogates."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import JSONParser

REFUSED_CHARACTERS = {
    "null_characters_not_allowed": "Null characters are not allowed.",
    "surrogate_characters_not_allowed": "Surrogate characters are not allowed.",
}


class StrictJSONParser(JSONParser):
    """RFC 8259 in UTF-8, without NaN, at most so deep and with so many members.

    Raises ParseError (400) for what is not such JSON, ValidationError (422) for a NUL or
    a lone surrogate anywhere in it: neither can be stored.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return read_json(stream.read())


def read_json(content: bytes) -> Any:
    """As StrictJSONParser, which raises the same."""
    try:
        data = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as exc:
        raise ParseError from exc
    _check(data)
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """1e999 is infinite to Python, and no column of JSON can hold that."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _check(data: Any) -> None:
    """Walks without recursion: the depth is what is in question."""
    keys = 0
    waiting: list[tuple[Any, int, str]] = [(data, 1, "")]
    while waiting:
        value, depth, path = waiting.pop()
        if isinstance(value, str):
            _check_text(value, path)
        elif isinstance(value, (dict, list)):
            keys += len(value)
            if depth > settings.MAX_JSON_DEPTH or keys > settings.MAX_JSON_KEYS:
                raise ParseError
            waiting.extend(_children(value, depth + 1, path))


def _children(
    value: dict[str, Any] | list[Any], depth: int, path: str
) -> Iterator[tuple[Any, int, str]]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield inner, depth, f"{path}.{index}" if path else str(index)
        return
    for name, inner in value.items():
        _check_text(name, path)
        yield inner, depth, f"{path}.{name}" if path else name


def _check_text(text: str, path: str) -> None:
    if "\0" in text:
        _refuse_text("null_characters_not_allowed", path)
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        _refuse_text("surrogate_characters_not_allowed", path)


def _refuse_text(code: str, path: str) -> NoReturn:
    fault = ErrorDetail(REFUSED_CHARACTERS[code], code=code)
    raise ValidationError({path or "non_field_errors": [fault]})
