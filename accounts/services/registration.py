from typing import Any

from django.db import IntegrityError, transaction

from accounts.addresses import email_key
from accounts.errors import RegistrationRefused
from accounts.models import User
from accounts.passwords import check_password_rules
from audit import services as audit
from config.errors import Conflict


def register_user(*, email: str, password: str, **profile: Any) -> User:
    """A new account without any right. Raises ValidationFailed, RegistrationRefused.

    The constraint decides, so two at once make one account; the password is hashed
    first, so that a known address takes as long as a new one.
    """
    user = User(email=email, **profile)
    check_password_rules(password, user=user, field="password")
    user.set_password(password)
    try:
        _add(user)
    except IntegrityError as exc:
        raise RegistrationRefused from exc
    return user


@transaction.atomic
def _add(user: User, **data: Any) -> None:
    user.save(force_insert=True)
    audit.record("user.registered", actor=user, target=user, **data)


def ensure_superuser(*, email: str, password: str) -> bool:
    """The first superuser, made once; whether it was made now.

    Raises ValidationFailed for a password against the rules, and Conflict where the
    address belongs to an account without the right: whoever registered it first must
    not be lifted up by the next start.
    """
    found = User.objects.filter(email_key=email_key(email)).first()
    if found is None:
        user = User(email=email, first_name="Admin", is_staff=True, is_superuser=True)
        check_password_rules(password, user=user, field="password")
        user.set_password(password)
        try:
            _add(user, superuser=True)
        except IntegrityError:
            return ensure_superuser(email=email, password=password)
        return True
    if not found.is_superuser:
        raise Conflict
    return False
