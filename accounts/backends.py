from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.errors import InvalidCredentials
from accounts.models import User
from accounts.services import verify_credentials
from limits.errors import TooManyAttempts


class EmailBackend(ModelBackend):
    """The console's sign-in: same proof, same count of failures as the API's."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        try:
            return verify_credentials(email=username.strip(), password=password)
        except (InvalidCredentials, TooManyAttempts, ValidationError):
            return None
