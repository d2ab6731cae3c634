from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone

from accounts import mail
from accounts.addresses import email_key
from accounts.errors import EmailNotVerified, InvalidCredentials, WrongPassword
from accounts.lookup import find_by_key
from accounts.models import User
from accounts.passwords import check_password_rules
from accounts.services.leaving import come_back
from accounts.services.proving import begin_attempt, prove_password
from audit import services as audit
from audit.models import Outcome
from limits import guessing
from sessions_app.models import EndReason
from sessions_app.services import Tokens, begin_session, end_all_of


def sign_in(*, email: str, password: str, device_id: str = "") -> Tokens:
    """Raises InvalidCredentials, EmailNotVerified, TooManyAttempts, ValidationError for
    a bad address.
    """
    user = verify_credentials(email=email, password=password)
    return _enter(user, device_id)


@transaction.atomic
def _enter(user: User, device_id: str) -> Tokens:
    begun = begin_session(user=user, device_id=device_id)
    if user.leaving_since:
        come_back(user)
    if not begun.is_familiar:
        mail.notify_new_device(user, begun.tokens.session_id)
    return begun.tokens


def verify_credentials(*, email: str, password: str) -> User:
    """The active account that these belong to, for API and console alike.

    One answer and one hash, whatever is wrong: an unknown address, a wrong password, an
    inactive or deleted account (OWASP ASVS 5.0, 6.3.8). Raises as `sign_in` does.
    """
    if len(password) > settings.PASSWORD_MAXIMUM_LENGTH:
        raise InvalidCredentials
    key = email_key(email)
    user = find_by_key(key)
    attempt = begin_attempt(key, user, user.password if user else "")
    if not _proves(password, user) or user is None or not user.is_active:
        audit.record("sign_in.failed", target=user, outcome=Outcome.FAILURE)
        raise InvalidCredentials
    guessing.succeed(attempt)
    if settings.EMAIL_VERIFICATION == "required" and not user.email_verified:
        audit.record("sign_in.failed", target=user, outcome=Outcome.DENIED)
        raise EmailNotVerified
    return user


def _proves(password: str, user: User | None) -> bool:
    if user is None or not user.has_usable_password():
        make_password(password)  # takes as long as a check
        return False

    def upgrade(proved: str) -> None:
        """Only while the hash is the one that was proved: a change wins over this."""
        same = User.objects.filter(pk=user.pk, password=user.password)
        encoded = make_password(proved)
        if same.update(password=encoded):
            user.password = encoded

    return check_password(password, user.password, upgrade)


def change_password(
    *, user: User, current_password: str, new_password: str, keep: UUID
) -> None:
    """Every session but `keep` ends. Raises WrongPassword, ValidationFailed,
    TooManyAttempts.
    """
    stored = prove_password(user=user, password=current_password)
    check_password_rules(new_password, user=user, field="new_password")
    _replace_password(user, stored, make_password(new_password), keep)


@transaction.atomic
def set_password(*, user: User, password: str) -> None:
    """By an operator; every session ends. Raises ValidationFailed."""
    check_password_rules(password, user=user, field="password")
    User.objects.filter(pk=user.pk).update(
        password=make_password(password), updated_at=timezone.now()
    )
    end_all_of([user.pk], reason=EndReason.OPERATOR, by=None)
    audit.record("password.set", target=user)
    mail.notify_password_changed(user)


@transaction.atomic
def _replace_password(user: User, stored: str, encoded: str, keep: UUID) -> None:
    """Only while the hash is the one that was proved: of two changes, one wins."""
    mine = User.objects.filter(pk=user.pk, password=stored)
    if not mine.update(password=encoded, updated_at=timezone.now()):
        raise WrongPassword
    end_all_of([user.pk], reason=EndReason.PASSWORD, by=user, keep=keep)
    audit.record("password.changed", actor=user, target=user)
    mail.notify_password_changed(user)
