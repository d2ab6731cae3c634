import re

from django.core.validators import RegexValidator

PUNCTUATION = str.maketrans("", "", " -()")

validate_phone_number = RegexValidator(
    re.compile(r"\A[+0][0-9]{8,14}\Z"),
    "Enter + or 0 and 8 to 14 digits; spaces and punctuation are dropped.",
)


def normalize_phone_number(typed: str) -> str:
    return typed.translate(PUNCTUATION)
