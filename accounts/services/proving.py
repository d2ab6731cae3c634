"""The person at the keyboard shows once more that the account is theirs."""

from django.conf import settings
from django.contrib.auth.hashers import check_password

from accounts.addresses import email_key
from accounts.errors import WrongPassword
from accounts.models import User
from audit import services as audit
from audit.models import Outcome
from limits import guessing
from limits.errors import TooManyAttempts
from limits.stores import digest


def prove_password(*, user: User, password: str) -> str:
    """The stored hash that the password fits, whoever changed it since.

    Counted with the failed sign-ins. Raises WrongPassword, TooManyAttempts.
    """
    stored = User.objects.values_list("password", flat=True).get(pk=user.pk)
    attempt = begin_attempt(email_key(user.email), user, stored)
    if not check_password(password, stored):
        raise WrongPassword
    guessing.succeed(attempt)
    return stored


def confirm_password(*, user: User, password: str) -> None:
    """In the console, before what is dangerous. Raises WrongPassword, TooManyAttempts."""
    try:
        # Longer than any: it fits nothing, and costs no more.
        prove_password(user=user, password=password[: settings.PASSWORD_MAXIMUM_LENGTH])
    except WrongPassword:
        failed = Outcome.FAILURE
        audit.record("console.confirmed", actor=user, target=user, outcome=failed)
        raise
    audit.record("console.confirmed", actor=user, target=user)


def lock_proved(user: User, proved: str) -> User:
    """The person, locked, while the hash is still the one that was proved: whoever set
    another password meanwhile shut this caller out. Raises WrongPassword.
    """
    same = User.objects.existing().filter(pk=user.pk, password=proved)
    person = same.locked().first()
    if person is None:
        raise WrongPassword
    return person


def begin_attempt(key: str, user: User | None, stored: str) -> guessing.Attempt:
    """Counts the attempt; the one that goes over the line is recorded, once.

    Each password has counts of its own: a reset forgets those of the last one, and
    nothing does that a stolen session could do without the password.
    """
    generation = digest(stored) if user else ""
    try:
        return guessing.begin(key, generation=generation)
    except TooManyAttempts as refusal:
        if refusal.crossed:
            audit.record("sign_in.blocked", target=user, outcome=Outcome.DENIED)
        raise
