"""Fields of input that say something about a person."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.addresses import MAXIMUM_LENGTH, email_key
from accounts.locales import validate_locale
from accounts.phones import normalize_phone_number, validate_phone_number


@extend_schema_field({"type": "string", "format": "email", "maxLength": MAXIMUM_LENGTH})
class AddressField(serializers.CharField):
    """Trimmed, otherwise as typed; `accounts.addresses` says what is valid."""

    default_error_messages = {"invalid": "Enter a valid email address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAXIMUM_LENGTH, **kwargs)

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        try:
            email_key(value)
        except ValidationError:
            self.fail("invalid")


@extend_schema_field({"type": "string"})
class PhoneField(serializers.CharField):
    """+ or 0 and 8 to 14 digits; spaces, hyphens and parentheses are dropped."""

    default_error_messages = {"invalid": validate_phone_number.message}

    def to_internal_value(self, data: Any) -> str:
        number = normalize_phone_number(super().to_internal_value(data))
        try:
            validate_phone_number(number)
        except ValidationError:
            self.fail("invalid")
        return number


class LocaleField(serializers.CharField):
    """Stored lower-case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(validate_locale)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()
