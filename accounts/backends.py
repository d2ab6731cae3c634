from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.errors import EmailNotVerified, InvalidCredentials
from accounts.models import User
from accounts.services import come_back, verify_credentials
from audit import services as audit
from audit.models import Outcome
from limits import rates
from limits.errors import TooManyAttempts

REFUSALS = (InvalidCredentials, EmailNotVerified, TooManyAttempts, ValidationError)


class EmailBackend(ModelBackend):
    """The console's sign-in: same proof, same counts as the API's."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        if rates.excess("login", rates.from_here()) is not None:
            return None
        try:
            user = verify_credentials(email=username.strip(), password=password)
        except REFUSALS:
            return None
        if not user.is_staff:
            # The right password at the wrong door: perhaps a thief's.
            audit.record("sign_in.failed", target=user, outcome=Outcome.DENIED)
            return None
        come_back(user)
        return user
