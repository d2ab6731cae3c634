from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import arrivals, mail
from accounts.addresses import email_key
from accounts.errors import AddressTaken, RegistrationRefused
from accounts.models import User
from accounts.passwords import check_password_rules
from accounts.services.moving import refuse_promised
from accounts.services.posting import may_mail
from audit import services as audit
from config.errors import Conflict


def register_user(
    *, email: str, password: str, invitation_token: str = "", **profile: Any
) -> User:
    """A new account without any right; with an invitation, a member at once. Raises
    ValidationFailed, RegistrationRefused, InvitationInvalid, InvitationForAnother.

    The constraint decides, so two at once make one account; the password is hashed
    first, so that a known address takes as long as a new one.
    """
    user = _prepare(email, password, profile)
    try:
        _register(user, invitation_token)
    except (IntegrityError, AddressTaken) as exc:
        raise RegistrationRefused from exc
    return user


def request_registration(*, email: str, password: str, **profile: Any) -> None:
    """As `register_user`, and silent about whether the address is known: its owner is
    told by mail. Raises ValidationFailed.
    """
    user = _prepare(email, password, profile)
    try:
        _register(user)
    except (IntegrityError, AddressTaken):
        _tell_owner(user.email_key)


@transaction.atomic
def _tell_owner(key: str) -> None:
    owner = User.objects.existing().filter(email_key=key, is_active=True).first()
    if may_mail("registration", key) and owner:
        mail.queue_account_exists(owner)


def _prepare(email: str, password: str, profile: dict[str, Any]) -> User:
    user = User(email=email, **profile)
    check_password_rules(password, user=user, field="password")
    user.set_password(password)
    return user


@transaction.atomic
def _register(user: User, invitation_token: str = "") -> None:
    asked = arrivals.hosts if invitation_token else []
    # Before the address shows whether it is known.
    welcomes = [host(user.email, invitation_token) for host in asked]
    _add(user)
    refuse_promised(user)
    for take_in in welcomes:
        take_in(user)
    if settings.EMAIL_VERIFICATION != "off" and not user.email_verified:
        mail.queue_verification(user)


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
        user = User(
            email=email,
            # The operator vouches for it.
            email_verified=True,
            first_name="Admin",
            is_staff=True,
            is_superuser=True,
        )
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
