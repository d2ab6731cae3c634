"""Mails to send, and what became of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from outbox.models import Mail
from outbox.services import compose_mail, queue_mails

KIND = "accounts.verify_email"
LINK = "https://app.example.com/verify-email#token=t0ken-of-a-link"
CODE = "481516"


def letter(recipient: str = "ada@example.com", **changes: Any) -> Mail:
    """Composed, and not written yet."""
    return compose_mail(
        **{
            "kind": KIND,
            "recipient": recipient,
            "name": "Ada",
            "link": LINK,
            "code": CODE,
            "at": timezone.now(),
            **changes,
        }
    )


def queue(number: int = 1, **changes: Any) -> list[Mail]:
    """Written, to as many people."""
    mails = [letter(address(index), **changes) for index in range(number)]
    with transaction.atomic():
        queue_mails(mails)
    return mails


def address(index: int) -> str:
    return f"person{index:02}@example.com"


def addresses(number: int) -> list[str]:
    return [address(index) for index in range(number)]


def anew(mail: Mail) -> Mail:
    return Mail.objects.get(pk=mail.pk)


def mail_to(recipient: str) -> Mail:
    return Mail.objects.get(recipient=recipient)


def make_due() -> None:
    """As if every pause and every lease were over."""
    Mail.objects.filter(status="waiting").update(
        due_at=timezone.now() - timedelta(seconds=1)
    )


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each answers; on as many threads, with a connection each."""
    start = Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(run, deeds))


def database_url() -> str:
    """Of the suite's own database, for a process beside it."""
    name = str(settings.DATABASES["default"]["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    values = connection.settings_dict
    place = f"{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}"
    return urlunsplit(urlsplit("postgres://host")._replace(netloc=place, path=f"/{name}"))
