"""The fast encoder says what DRF's says."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer

from config.api.rendering import FastJSONRenderer

MOMENT = datetime(2026, 11, 24, 9, 30, 0, 123456, tzinfo=UTC)
VALUES = {
    "nothing": {},
    "an id": UUID(int=7),
    "a moment": MOMENT,
    "a whole second": MOMENT.replace(microsecond=0),
    "a day": date(2026, 11, 24),
    "a lazy text": lazystr("é"),
    "a number beyond 64 bits": 2**70,
    "a small negative number": -(2**63),
    "a decimal": Decimal("1.50"),
    "a span": timedelta(seconds=5),
    "markup": "</script><b>&'\"",
    "separators": "a\u2028b\u2029",
    "emoji": "😀",
    "control characters": "\x01\t\n\x7f",
    "a deep list": [[[{"a": [None, True, 1.5]}]]],
}


def by_drf(value: Any) -> bytes:
    rendered: bytes = JSONRenderer().render(value)
    return rendered


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_what_is_said_is_what_drf_says(value: Any) -> None:
    rendered = FastJSONRenderer().render({"value": value, "more": [value]})
    assert rendered == by_drf({"value": value, "more": [value]})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abé\u2028"), inner),
)


@given(JSON.filter(lambda value: value is not None))
def test_whatever_came_in_as_json_goes_out_again(value: Any) -> None:
    rendered = FastJSONRenderer().render(value)
    assert rendered == by_drf(value)
    assert json.loads(rendered) == value


def test_a_moment_of_another_zone_keeps_its_offset() -> None:
    moment = MOMENT.astimezone(timezone(timedelta(hours=2)))
    assert FastJSONRenderer().render(moment) == by_drf(moment)


def test_no_answer_has_no_body() -> None:
    assert FastJSONRenderer().render(None) == b""
