"""What superusers do with people's accounts, beyond letting them in and out."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import mail
from accounts.addresses import same_mailbox
from accounts.errors import AddressTaken, OwnAccount
from accounts.models import Proof, Purpose, User
from accounts.passwords import check_password_rules
from accounts.services.moving import refuse_promised
from accounts.services.people import (
    lock_in_charge,
    lock_superusers,
    set_activity,
    update_rights,
)
from accounts.services.profiles import update_profile
from audit import services as audit


def create_user(*, by: User, email: str, password: str, **fields: Any) -> User:
    """An account made by a superuser, with or without that right. Raises AddressTaken,
    ValidationFailed, PermissionDenied.
    """
    is_superuser = fields.get("is_superuser", False)
    user = User(email=email, is_staff=is_superuser, **fields)
    check_password_rules(password, user=user, field="password")
    user.set_password(password)
    _add(user, by)
    return user


@transaction.atomic
def _add(user: User, by: User) -> None:
    # The right was looked at before the password was hashed.
    lock_superusers(by=by)
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
    """All of it or nothing; what is as it was is no change. One's own address is moved as
    everybody's: with the password, and a way back.

    Raises AddressTaken, OwnAccount, and what `update_rights` and `set_activity` raise.
    """
    # First, since it locks what is at stake before people.
    if is_active is not None and is_active != user.is_active:
        set_activity(user=user, active=is_active, by=by)
    lock_in_charge(user=user, by=by)
    if is_superuser is not None and is_superuser != user.is_superuser:
        # Over REST nobody is made support: that is done in the console.
        update_rights(user=user, by=by, is_staff=is_superuser, is_superuser=is_superuser)
        user.refresh_from_db(fields=["is_staff", "is_superuser", "updated_at"])
    if email is not None and email != user.email:
        _assign_address(user, by, email)
    changed = {k: v for k, v in profile.items() if getattr(user, k) != v}
    update_profile(user=user, by=by, **changed)


def _assign_address(user: User, by: User, email: str) -> None:
    """Nobody has shown that it is theirs. The old one gets a notice, and no way back is
    left, nor one from before: who reads its mail may be the reason.
    """
    if user.pk == by.pk:
        raise OwnAccount
    same = same_mailbox(user.email, email)
    if not same:
        mail.notify_address_assigned(user, email)
    user.email_verified = user.email_verified and same
    user.email, user.updated_at = email, timezone.now()
    _write(user, update_fields=["email", "email_verified", "updated_at"])
    Proof.objects.of(user.pk).filter(purpose=Purpose.RETURN_ADDRESS).delete()
    audit.record("email.changed", actor=by, target=user)
    _ask_to_verify(user)


def _ask_to_verify(user: User) -> None:
    asked = settings.EMAIL_VERIFICATION != "off" and user.is_active
    if asked and not user.email_verified:
        mail.queue_verification(user)


def _write(user: User, **how: Any) -> None:
    try:
        with transaction.atomic():
            user.save(**how)
    except IntegrityError as exc:
        raise AddressTaken from exc
    refuse_promised(user)
