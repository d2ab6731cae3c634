"""One function per mail. Each is called in the transaction of what it tells of.

Links lead to pages of the frontend, with the token behind `#`: it reaches no server's log
and no Referer. docs/MAIL.md lists the pages.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts import proofs
from accounts.addresses import email_key
from accounts.models import Purpose, User
from config import context
from limits import rates
from outbox.models import Mail
from outbox.services import compose_mail, queue_mails
from sessions_app.devices import device_name
from sessions_app.models import Session


def queue_verification(user: User) -> None:
    secret = proofs.issue(user, Purpose.VERIFY, settings.EMAIL_PROOF_LIFETIME)
    link = _link("verify-email", secret.token)
    _queue("verify_email", user, link, expires_at=secret.expires_at, code=secret.code)


def queue_account_exists(user: User) -> None:
    """Instead of telling whoever asked that the address is known."""
    _queue("account_exists", user, f"{settings.FRONTEND_URL}/forgot-password")


def queue_password_reset(user: User) -> None:
    secret = proofs.issue(user, Purpose.RESET, settings.PASSWORD_RESET_LIFETIME)
    link = _link("reset-password", secret.token)
    _queue("password_reset", user, link, expires_at=secret.expires_at)


def queue_address_confirmation(user: User, new_email: str) -> None:
    """To the new address: whoever reads its mail may confirm it."""
    secret = proofs.issue(
        user, Purpose.ADDRESS, settings.EMAIL_PROOF_LIFETIME, email=new_email
    )
    link = _link("confirm-email", secret.token)
    _queue(
        "confirm_address", user, link, recipient=new_email, expires_at=secret.expires_at
    )


def queue_leaving(user: User, leaving_since: datetime) -> None:
    secret = proofs.issue(user, Purpose.STAY, settings.LEAVING_GRACE)
    until = leaving_since + settings.LEAVING_GRACE
    _queue("leaving_started", user, _link("keep-account", secret.token), until=until)


def queue_welcome_back(user: User) -> None:
    queue_welcomes_back([user])


def queue_welcomes_back(users: Sequence[User]) -> None:
    """In one statement."""
    queue_mails([_compose("welcome_back", user, "") for user in users])


def notify_password_changed(user: User) -> None:
    if _wanted("password_changed", user):
        here = context.current()
        device = device_name(here.agent)
        link = _disowning(user)
        _queue("password_changed", user, link, address=here.address, device=device)


def notify_new_device(user: User, session_id: UUID) -> None:
    if _wanted("new_device", user):
        session = Session.objects.get(pk=session_id)
        link = _disowning(user, session_id)
        _queue("new_device", user, link, **_whereabouts(session))


def notify_refresh_reused(session: Session) -> None:
    user: User = session.user
    if _wanted("refresh_reused", user):
        link = _disowning(user, session.pk)
        _queue("refresh_reused", user, link, **_whereabouts(session))


def notify_address_changed(user: User, old_email: str, *, reserve: bool) -> None:
    """To the old address, with the way back. `user` has the new one. `reserve`: nobody
    else can take the old one while the way back is open.
    """
    subject = proofs.digest(email_key(old_email))
    if _wanted("address_changed", user):
        secret = proofs.issue(
            user,
            Purpose.RETURN_ADDRESS,
            settings.DISOWN_LIFETIME,
            subject=subject if reserve else f"free {subject[:40]}",
            email=old_email,
        )
        link = _link("restore-email", secret.token)
        told = {"recipient": old_email, "new_email": masked(user.email)}
        _queue("address_changed", user, link, **told)


def notify_address_assigned(user: User, new_email: str) -> None:
    """By a superuser: to the address that the person still has, without a way back."""
    if _wanted("address_changed", user):
        _queue("address_changed", user, "", new_email=masked(new_email))


def notify_accounts_deleted(users: Sequence[User]) -> None:
    """By a superuser. In one statement."""
    if "account_deleted" not in settings.NOTICES_OFF:
        queue_mails([_compose("account_deleted", user, "") for user in users])


def notify_account_gone(user: User) -> None:
    """Of nobody, or it would be forgotten with the person."""
    if "account_deleted" not in settings.NOTICES_OFF:
        _queue("account_deleted", user, "", person_id=None, final=True)


def masked(email: str) -> str:
    """As much as its owner needs to know it: `g***@example.com`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _disowning(user: User, session_id: UUID | None = None) -> str:
    secret = proofs.issue(
        user,
        Purpose.DISOWN,
        settings.DISOWN_LIFETIME,
        subject=str(session_id or ""),
    )
    return _link("secure-account", secret.token)


def _whereabouts(session: Session) -> dict[str, str]:
    place = (session.location_city, session.location_country)
    return {
        "device": session.device_name,
        "address": session.ip_address or "",
        "place": ", ".join(part for part in place if part),
    }


def _link(page: str, token: str) -> str:
    return f"{settings.FRONTEND_URL}/{page}#token={token}"


def _wanted(notice: str, user: User) -> bool:
    """Unless the operator switched it off; then no link is made either. An address that
    nobody has shown to be theirs gets no more than on request: it may be a stranger's.
    """
    if notice in settings.NOTICES_OFF:
        return False
    return user.email_verified or rates.allows(
        "mail:notice", user.email_key, settings.MAILS_PER_ADDRESS
    )


def _queue(name: str, user: User, link: str, **data: Any) -> None:
    queue_mails([_compose(name, user, link, **data)])


def _compose(name: str, user: User, link: str, **data: Any) -> Mail:
    return compose_mail(
        kind=f"accounts.{name}",
        **{
            "recipient": user.email,
            "person_id": user.pk,
            "locale": user.locale,
            "name": user.first_name,
            "link": link,
            "at": timezone.now(),
            **data,
        },
    )
