"""Text of one line: what names of people and organizations are."""

import unicodedata

from django.core.exceptions import ValidationError

CONTROL_CHARACTERS = "control_characters_not_allowed"
CONTROL_CHARACTERS_SAID = "The text contains control characters."


def has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def validate_line(text: str) -> None:
    """Raises ValidationError."""
    if has_control_characters(text):
        raise ValidationError(CONTROL_CHARACTERS_SAID, code=CONTROL_CHARACTERS)
