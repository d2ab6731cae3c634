"""What still has to leave: mails, written in the transaction that they tell of."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.identifiers import new_id


class MailQuerySet(models.QuerySet["Mail"]):
    def due(self, now: datetime | None = None) -> Self:
        """Waiting, and in nobody's hands: a lease is a due moment in the future."""
        return self.filter(status=Status.WAITING, due_at__lte=now or timezone.now())

    def dead(self) -> Self:
        return self.filter(status=Status.DEAD)

    def of(self, person_id: UUID) -> Self:
        return self.filter(person_id=person_id)


class Status(models.TextChoices):
    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class Mail(models.Model):
    """One mail to one address. What it says is sealed, and forgotten once it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=64, editable=False)
    recipient = models.CharField(max_length=254, editable=False)
    # No foreign key: what concerns a person who is gone may still have to be said.
    person_id = models.UUIDField(null=True, editable=False)
    locale = models.CharField(max_length=35, blank=True, editable=False)
    sealed = models.TextField(blank=True, editable=False)

    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.WAITING, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField(default=timezone.now, editable=False)
    # A link that has run out is not worth sending.
    expires_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=200, blank=True, editable=False)

    objects = MailQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], name="mails_to_deliver", condition=Q(status="waiting")
            ),
            models.Index(fields=["status", "-id"], name="mails_by_status"),
            models.Index(fields=["person_id"], name="mails_by_person"),
            models.Index(fields=["recipient"], name="mails_by_recipient"),
            models.Index(fields=["ended_at"], name="mails_by_end"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="waiting", ended_at=None)
                | (Q(status__in=["sent", "dead"]) & Q(ended_at__isnull=False)),
                name="a_mail_ends_sent_or_dead",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def audit_label(self) -> str:
        return self.kind

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()
