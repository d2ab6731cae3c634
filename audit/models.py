"""What happened, by whom, to what: rows that are added and never changed."""

from collections.abc import Sequence
from typing import Any, NoReturn, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.identifiers import new_id


class AppendOnly(TypeError):
    """Somebody tried to change the past."""


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly("Events are not changed.")

    def delete(self) -> NoReturn:
        raise AppendOnly("Events are not deleted.")

    def about(self, person_id: UUID) -> Self:
        """What a person did, and what was done to the account."""
        return self.filter(Q(actor_id=person_id) | Q(target_id=person_id))

    def for_support(self) -> Self:
        """Without what tells who was given a right, or lost it."""
        return self.exclude(action="user.rights_changed")

    def forget_things_of(self, person_id: UUID, types: Sequence[str]) -> None:
        """The labels of what the person did something to, whoever else did."""
        own = self.filter(actor_id=person_id, target_type__in=types)
        same = self.filter(target_type__in=types, target_id__in=own.values("target_id"))
        models.QuerySet.update(same, target_label="")

    def forget_labels(self, target_type: str, target_ids: Sequence[UUID]) -> None:
        named = self.filter(target_id__in=target_ids, target_type=target_type)
        models.QuerySet.update(named, target_label="")

    def pseudonymize(self, person_id: UUID, label: str) -> None:
        """Only what names a person is replaced: the trigger lets nothing else through."""
        own = self.filter(actor_id=person_id)
        models.QuerySet.update(own, actor_label=label, address=None, agent="")
        suffered = self.filter(target_id=person_id)
        models.QuerySet.update(suffered, target_label=label)
        # Failed sign-ins have no actor; the address is most likely the person's.
        models.QuerySet.update(suffered.filter(actor_id=None), address=None, agent="")


class Outcome(models.TextChoices):
    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


class Event(models.Model):
    """No foreign keys: an event outlives whoever did it and whatever it was done to.

    Labels are what the actor and target were called at that time. A trigger in the
    database refuses changes of everything else.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=64)
    outcome = models.CharField(
        max_length=16, choices=Outcome.choices, default=Outcome.SUCCESS
    )
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254, blank=True)
    session_id = models.UUIDField(null=True)
    organization_id = models.UUIDField(null=True)
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.UUIDField(null=True)
    target_label = models.CharField(max_length=254, blank=True)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=512, blank=True)
    request_id = models.CharField(max_length=36, blank=True)
    data = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["actor_id", "-id"], name="events_by_actor"),
            models.Index(fields=["target_id", "-id"], name="events_by_target"),
            models.Index(fields=["organization_id", "-id"], name="events_by_tenant"),
            models.Index(fields=["action", "-id"], name="events_by_action"),
            models.Index(
                fields=["request_id"],
                name="events_by_request",
                condition=~models.Q(request_id=""),
            ),
            models.Index(
                fields=["outcome", "-id"],
                name="events_without_success",
                condition=~models.Q(outcome="success"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=Outcome.values),
                name="an_event_has_a_known_outcome",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("Events are not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("Events are not deleted.")
