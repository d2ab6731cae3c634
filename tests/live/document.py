"""What docs/asyncapi.yaml says of frames: every frame that a test hears is held to it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker

PATH = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(PATH.read_text())
    return loaded


def types(operation: str) -> set[str]:
    """Of the messages that it lists."""
    listed = document()["operations"][operation]["messages"]
    return {each["$ref"].rpartition("/")[2] for each in listed}


def check(frame: Mapping[str, Any]) -> None:
    """Raises jsonschema.ValidationError; KeyError for a type that is not there."""
    _validator(frame["type"]).validate(frame)


@cache
def _validator(kind: str) -> Draft202012Validator:
    components = document()["components"]
    if kind not in components["messages"]:
        raise KeyError(kind)
    reference = f"#/components/messages/{kind}/payload"
    return Draft202012Validator(
        {"components": components, "$ref": reference}, format_checker=FormatChecker()
    )
