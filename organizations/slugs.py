"""The name of an organization in an address: `a-z 0-9 -`, unique."""

import re
import secrets

from django.core.exceptions import ValidationError
from django.utils.text import slugify

MAXIMUM_LENGTH = 255
PATTERN = re.compile(r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z")
# An organization is found by id or by slug, so no slug may be mistaken for an id.
ID = re.compile(r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# Words that stand for something else in the same place of an address.
RESERVED = frozenset({"me"})


def validate_slug(slug: str) -> None:
    """Raises ValidationError."""
    if not PATTERN.match(slug) or len(slug) > MAXIMUM_LENGTH:
        raise ValidationError(
            "Use a-z, 0-9 and single hyphens, none at the ends.", code="invalid"
        )
    if slug in RESERVED or ID.match(slug):
        raise ValidationError("This slug is reserved.", code="invalid")


def slug_of(name: str) -> str:
    """As like the name as a slug can be; a name without a letter of it gets a word."""
    slug = re.sub(r"[-_]+", "-", slugify(name))[:MAXIMUM_LENGTH].strip("-")
    if not slug or slug in RESERVED or ID.match(slug):
        return varied("organization")
    return slug


def varied(slug: str) -> str:
    """Another one, for when that is taken: a number would tell how many there are."""
    ending = secrets.token_hex(4)
    return f"{slug[: MAXIMUM_LENGTH - len(ending) - 1].strip('-')}-{ending}"
