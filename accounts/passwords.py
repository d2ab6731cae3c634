"""What makes a password good enough (NIST SP 800-63B-4: length and guessability, no
composition rules). The validators run wherever Django validates a password.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError
from zxcvbn_rs_py import zxcvbn

from config.errors import ValidationFailed

PRODUCT_WORDS = ("backend", "backendapi", "backend-api", "backend api")
MINIMUM_SCORE = 3


def check_password_rules(password: str, *, user: Any, field: str) -> None:
    """Raises ValidationFailed with every reason, under the name of the input field."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as refusal:
        raise ValidationFailed(
            errors=[
                {"code": fault.code, "message": text, "field": field}
                for fault in refusal.error_list
                for text in fault.messages
            ]
        ) from refusal


class LengthValidator:
    def validate(self, password: str, user: Any = None) -> None:
        shortest, longest = (
            settings.PASSWORD_MINIMUM_LENGTH,
            settings.PASSWORD_MAXIMUM_LENGTH,
        )
        if len(password) < shortest:
            raise ValidationError(
                f"The password must have {shortest} characters or more.",
                code="password_too_short",
            )
        if len(password) > longest:
            raise ValidationError(
                f"The password must have {longest} characters at most.",
                code="password_too_long",
            )

    def get_help_text(self) -> str:
        return (
            f"{settings.PASSWORD_MINIMUM_LENGTH} to {settings.PASSWORD_MAXIMUM_LENGTH}"
            " characters of any kind."
        )


class PersonalDataValidator(UserAttributeSimilarityValidator):
    """Close to the person's own data, or to the name of the product."""

    def __init__(self) -> None:
        super().__init__(("email", "first_name", "last_name", "phone_number"))

    def validate(self, password: str, user: Any = None) -> None:
        if password.lower().strip("0123456789!?. ") in PRODUCT_WORDS:
            raise ValidationError(
                "The password is too similar to the name of the service.",
                code="password_too_similar",
            )
        super().validate(password, user)


class StrengthValidator:
    """zxcvbn's estimate of how many guesses it takes: 3 of 4 or better."""

    def validate(self, password: str, user: Any = None) -> None:
        own = [getattr(user, name, "") for name in ("email", "first_name", "last_name")]
        words = [*PRODUCT_WORDS, *(word for word in own if word)]
        guess = zxcvbn(password[: settings.PASSWORD_MAXIMUM_LENGTH], words)
        if int(guess.score) < MINIMUM_SCORE:
            raise ValidationError(
                "The password is too easy to guess.", code="password_too_weak"
            )

    def get_help_text(self) -> str:
        return "Hard to guess: a few random words are better than one with signs."
