import re

from django.core.exceptions import ValidationError
from django.utils.translation import get_supported_language_variant

SHAPE = re.compile(r"\A[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}\Z")


def validate_locale(locale: str) -> None:
    """BCP 47 in lower case; a regional form of a configured language counts."""
    refusal = ValidationError("This language is not supported.", code="invalid_choice")
    if not SHAPE.match(locale):
        raise refusal
    try:
        get_supported_language_variant(locale)
    except LookupError as exc:
        raise refusal from exc
