"""Sending what waits: at least once, by any number of processes, one at a time a mail.

A mail is taken by a conditional UPDATE that moves its due moment LEASE ahead: whoever
dies with it in hand has only delayed it. What it was taken with (`attempts`) is asked
for again when the outcome is written, so a taker who was too slow changes nothing.
"""

import random
import smtplib
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from cryptography.fernet import InvalidToken
from django.core.mail import get_connection
from django.db.models import F
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.utils import timezone

from outbox.models import Mail, Status
from outbox.rendering import render

logger = structlog.get_logger("outbox")

BATCH = 20
# Longer than an honest server holds on to one mail, at EMAIL_TIMEOUT for each step.
LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=4)
# With those pauses, about a day; then an operator must look.
MAXIMUM_ATTEMPTS = 17
PERMANENT = 500

# A server that refuses, hangs or breaks off; an address or a text that cannot be a mail;
# a template or a seal that cannot be read. Each is one mail's misfortune.
FAULTS = (
    smtplib.SMTPException,
    OSError,
    ValueError,
    TemplateDoesNotExist,
    TemplateSyntaxError,
    InvalidToken,
)


def deliver_due(*, wanted: Callable[[], bool] = lambda: True) -> int:
    """Sends what is due until nothing is, or no more is `wanted`; how many were sent."""
    sent = 0
    while wanted():
        mails = _candidates()
        if not mails:
            break
        sent += _deliver_batch(mails, wanted)
    return sent


def _candidates() -> list[Mail]:
    """The oldest due, in any order: several who deliver seldom want the same one."""
    mails = list(Mail.objects.due().order_by("due_at")[:BATCH])
    random.shuffle(mails)
    return mails


def _deliver_batch(mails: list[Mail], wanted: Callable[[], bool]) -> int:
    """Over one connection, opened anew after a fault."""
    sent = 0
    post = Post()
    with closing(post):
        for mail in mails:
            if wanted() and _take(mail):
                sent += _deliver(mail, post)
    return sent


class Post:
    """A connection to the mail server, for as long as it works."""

    def __init__(self) -> None:
        self.connection: Any = None

    def send(self, mail: Mail) -> None:
        message = render(mail)
        if self.connection is None:
            self.connection = get_connection()
            self.connection.open()
        self.connection.send_messages([message])

    def close(self) -> None:
        if self.connection is not None:
            connection, self.connection = self.connection, None
            # Saying goodbye to a server that is gone fails as well, and means nothing.
            with suppress(smtplib.SMTPException, OSError):
                connection.close()


def _take(mail: Mail) -> bool:
    """One statement decides who has it; the same on both engines."""
    now = timezone.now()
    free = Mail.objects.due(now).filter(pk=mail.pk, attempts=mail.attempts)
    taken = free.update(due_at=now + LEASE, attempts=F("attempts") + 1)
    mail.attempts += 1
    return bool(taken)


def _deliver(mail: Mail, post: Post) -> bool:
    if mail.has_expired:
        _end(mail, Status.DEAD, last_error="Expired before it could be sent.")
        return False
    if mail.attempts > MAXIMUM_ATTEMPTS:
        _end(mail, Status.DEAD, last_error="Nobody who took it came back.")
        return False
    if fault := _fault_of_sending(mail, post):
        post.close()
        _fail(mail, fault)
        return False
    _end(mail, Status.SENT, sealed="", last_error="")
    logger.info("mail_sent", mail_id=str(mail.pk), kind=mail.kind)
    return True


def _fault_of_sending(mail: Mail, post: Post) -> Exception | None:
    try:
        post.send(mail)
    except FAULTS as fault:
        return fault
    # The last guard of the queue: what nobody foresaw in one mail must neither hold up
    # the others nor come again for ever.
    except Exception as fault:
        logger.exception("mail_crashed", mail_id=str(mail.pk), kind=mail.kind)
        return fault
    return None


def _fail(mail: Mail, fault: Exception) -> None:
    reason = _reason(fault)
    given_up = mail.attempts >= MAXIMUM_ATTEMPTS or _is_permanent(fault)
    log = logger.error if given_up else logger.warning
    event = "mail_given_up" if given_up else "mail_delayed"
    log(event, mail_id=str(mail.pk), kind=mail.kind, reason=reason)
    if given_up:
        _end(mail, Status.DEAD, last_error=reason)
    else:
        _mine(mail).update(due_at=_next_attempt(mail.attempts), last_error=reason)


def _end(mail: Mail, status: Status, **changes: Any) -> None:
    _mine(mail).update(status=status, ended_at=timezone.now(), **changes)


def _mine(mail: Mail) -> Any:
    return Mail.objects.filter(pk=mail.pk, status=Status.WAITING, attempts=mail.attempts)


def _next_attempt(attempts: int) -> datetime:
    """Twice as long each time, and never all at once (full half jitter)."""
    pause = min(FIRST_PAUSE * (1 << (attempts - 1)), LONGEST_PAUSE)
    return timezone.now() + pause * random.uniform(0.5, 1)  # noqa: S311  # no secret


def _is_permanent(fault: Exception) -> bool:
    """The server will never take this mail: an address of nobody, a refused text."""
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _ in fault.recipients.values())
    return isinstance(fault, smtplib.SMTPDataError) and fault.smtp_code >= PERMANENT


def _reason(fault: Exception) -> str:
    """For an operator, without the address: codes of a server, else the fault's name."""
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        codes = sorted({str(code) for code, _ in fault.recipients.values()})
        return f"Recipient refused: {', '.join(codes)}"
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"{type(fault).__name__}: {fault.smtp_code}"
    return type(fault).__name__
