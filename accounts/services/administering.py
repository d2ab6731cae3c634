"""What superusers do with people's accounts, beyond letting them in and out."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import mail
from accounts.addresses import email_key
from accounts.errors import AddressTaken
from accounts.models import User
from accounts.passwords import check_password_rules
from accounts.services.moving import refuse_promised
from accounts.services.people import update_rights
from accounts.services.profiles import update_profile
from audit import services as audit


def create_user(*, by: User, email: str, password: str, **fields: Any) -> User:
    """An account made by a superuser, with or without that right. Raises AddressTaken,
    ValidationFailed.
    """
    is_superuser = fields.get("is_superuser", False)
    user = User(email=email, is_staff=is_superuser, **fields)
    check_password_rules(password, user=user, field="password")
    user.set_password(password)
    _add(user, by)
    return user


@transaction.atomic
def _add(user: User, by: User) -> None:
    _write(user)
    audit.record(
        "user.created",
        actor=by,
        target=user,
        is_superuser=user.is_superuser,
        is_active=user.is_active,
    )
    _ask_to_verify(user)


@transaction.atomic
def edit_user(
    *,
    user: User,
    by: User,
    email: str | None = None,
    is_superuser: bool | None = None,
    is_active: bool | None = None,
    **profile: Any,
) -> None:
    """All of it or nothing; what is as it was is no change. Raises AddressTaken, and what
    `update_rights` and `set_activity` raise.
    """
    if is_superuser is not None and is_superuser != user.is_superuser:
        # The console is for superusers: staff without the right see nothing of it.
        update_rights(user=user, by=by, is_staff=is_superuser, is_superuser=is_superuser)
        user.is_staff = user.is_superuser = is_superuser
    if email is not None and email != user.email:
        _assign_address(user, by, email)
    active = None if is_active == user.is_active else is_active
    update_profile(user=user, by=by, is_active=active, **profile)


def _assign_address(user: User, by: User, email: str) -> None:
    """Nobody has shown that it is theirs. The old one gets a notice, and no way back: its
    mail may be the reason.
    """
    old = user.email
    user.email = email
    user.email_verified = user.email_verified and email_key(old) == email_key(email)
    _write(user, update_fields=["email", "email_verified"])
    audit.record("email.changed", actor=by, target=user)
    mail.notify_address_assigned(user, old)
    _ask_to_verify(user)


def _ask_to_verify(user: User) -> None:
    if settings.EMAIL_VERIFICATION != "off" and not user.email_verified:
        mail.queue_verification(user)


def _write(user: User, **how: Any) -> None:
    try:
        with transaction.atomic():
            user.save(**how)
    except IntegrityError as exc:
        raise AddressTaken from exc
    refuse_promised(user)
