"""Writing, sending again and forgetting mails. Delivery is in outbox/delivery.py."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from audit import services as audit
from outbox import bell
from outbox.errors import MailNotDead
from outbox.models import Mail, Status
from outbox.sealing import seal

PURGE_BATCH = 1000


def queue_mails(mails: Sequence[Mail]) -> None:
    """Writes them in the caller's transaction, in one statement: they leave if that
    commits, else never.
    """
    Mail.objects.bulk_create(mails)
    transaction.on_commit(bell.ring)


def compose_mail(
    *,
    kind: str,
    recipient: str,
    locale: str = "",
    person_id: UUID | None = None,
    expires_at: datetime | None = None,
    **data: Any,
) -> Mail:
    """`kind` is `<app>.<template>`; `data` is what the template shows. After `expires_at`
    it is not sent any more.
    """
    return Mail(
        kind=kind,
        recipient=recipient,
        locale=locale,
        person_id=person_id,
        expires_at=expires_at,
        sealed=seal(data),
    )


@transaction.atomic
def send_again(*, mails: Iterable[Mail], by: models.Model) -> int:
    """Gives the dead of them a new life; how many. Raises MailNotDead if none is."""
    ids = [mail.pk for mail in mails]
    dead = Mail.objects.dead().filter(pk__in=ids).exclude(sealed="")
    again = [m for m in dead.select_for_update().order_by("pk") if not m.has_expired]
    if not again:
        raise MailNotDead
    Mail.objects.filter(pk__in=[mail.pk for mail in again]).update(
        status=Status.WAITING, due_at=timezone.now(), ended_at=None, attempts=0
    )
    audit.record_each("mail.sent_again", again, actor=by)
    transaction.on_commit(bell.ring)
    return len(again)


def drop_mails_of(*, person_id: UUID) -> int:
    """Forgets every mail of a person, sent or not; one that is just leaving leaves."""
    number, _ = Mail.objects.of(person_id).delete()
    return number


def purge_mails() -> int:
    """Deletes what ended MAILS_KEPT ago, in batches; two at once do no harm."""
    limit = timezone.now() - settings.MAILS_KEPT
    total = 0
    while True:
        old = Mail.objects.filter(ended_at__lte=limit).values_list("pk", flat=True)
        number, _ = Mail.objects.filter(pk__in=list(old[:PURGE_BATCH])).delete()
        total += number
        if not number:
            return total
