"""Each kind of mail, written by the function that the application calls for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from django.utils import timezone

from accounts import mail
from accounts.models import User
from config import context
from outbox.models import Mail
from sessions_app.models import Session
from sessions_app.services import start_session

AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
UNTIL = datetime(2026, 12, 8, 23, 30, tzinfo=UTC)


def session_of(user: User) -> Session:
    here = context.current()
    context.enter(replace(here, address="198.51.100.7", agent=AGENT))
    start_session(user=user)
    return Session.objects.select_related("user").filter(user=user).latest("pk")


WRITERS: dict[str, Callable[[User], None]] = {
    "verify_email": mail.queue_verification,
    "account_exists": mail.queue_account_exists,
    "password_reset": mail.queue_password_reset,
    "confirm_address": lambda user: mail.queue_address_confirmation(
        user, "new@example.com"
    ),
    "leaving_started": lambda user: mail.queue_leaving(user, timezone.now()),
    "welcome_back": mail.queue_welcome_back,
    "password_changed": mail.notify_password_changed,
    "new_device": lambda user: mail.notify_new_device(user, session_of(user).pk),
    "refresh_reused": lambda user: mail.notify_refresh_reused(session_of(user)),
    "address_changed": lambda user: mail.notify_address_changed(
        user, "old@example.com", reserve=True
    ),
    "account_deleted": lambda user: mail.notify_accounts_deleted([user]),
}
WITHOUT_LINK = {"welcome_back", "account_deleted"}


def written(kind: str, user: User) -> Mail:
    WRITERS[kind](user)
    return Mail.objects.filter(kind=f"accounts.{kind}").latest("pk")
