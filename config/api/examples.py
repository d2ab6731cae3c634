"""How the OpenAPI document shows a request or an answer."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def answer(value: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample("An answer", value=value, response_only=True)]


def request(value: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample("A request", value=value, request_only=True)]
