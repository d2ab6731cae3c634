"""A device session: one row from sign-in to its end, whatever tokens it goes through."""

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError, models
from django.db.models import F, Q
from django.utils import timezone

from config.identifiers import new_id

logger = structlog.get_logger("sessions")


class HoldsSessions(models.Model):
    """What the user model must have for people to be signed in.

    `session_epoch` goes up when everything issued so far must die; a session lives only
    in the epoch in which it began, also one that a slow sign-in writes a moment later.
    """

    # What authentication reads of the user with the session; other fields are loaded
    # when something asks for them.
    SESSION_COLUMNS: ClassVar[tuple[str, ...]] = ()

    session_epoch = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


class SessionQuerySet(models.QuerySet["Session"]):
    def active(self, now: datetime | None = None) -> Self:
        """Neither ended nor expired."""
        return self.filter(ended_at=None, expires_at__gt=now or timezone.now())

    def letting_in(self, now: datetime | None = None) -> Self:
        """What `Session.lets_in` says of one, of many in one statement."""
        let_in = Q(user__is_active=True, user__session_epoch=F("epoch"))
        return self.active(now).filter(let_in)

    def past(self, now: datetime | None = None) -> Self:
        return self.exclude(ended_at=None, expires_at__gt=now or timezone.now())

    def resembling(self, device_id: str, agent: str, address: str) -> Self:
        """Begun on what calls itself the same device; without a name of its own, with
        the same User-Agent from the same address. A thief's does not count.
        """
        own = self.exclude(end_reason__in=[EndReason.DISOWNED, EndReason.REUSE])
        if device_id:
            return own.filter(device_id=device_id)
        here = Q(first_ip_address=address or None)
        # Of a release that did not write where a session began.
        here |= Q(first_ip_address=None, ip_address=address or None)
        return own.filter(here, user_agent=agent)

    def newest_use_first(self) -> Self:
        return self.order_by("-last_used_at", "-id")


class EndReason(models.TextChoices):
    LOGOUT = "logout"
    REVOKED = "revoked"
    LOGOUT_ALL = "logout_all"
    SURPLUS = "surplus"
    REUSE = "reuse"
    PASSWORD = "password"  # noqa: S105  # a reason, not a secret
    DEACTIVATED = "deactivated"
    DISOWNED = "disowned"
    LEFT = "left"
    OPERATOR = "operator"


class Session(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions"
    )
    epoch = models.PositiveIntegerField(editable=False)

    # Digests of token ids. The current one rotates; its predecessor is forgiven for
    # REFRESH_GRACE after `rotated_at`. `refresh_kid` names the key of the current one.
    refresh_digest = models.CharField(max_length=64, editable=False)
    previous_digest = models.CharField(max_length=64, blank=True, editable=False)
    refresh_kid = models.CharField(max_length=12, editable=False)
    rotated_at = models.DateTimeField(editable=False)
    rotations = models.PositiveIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(default=timezone.now, editable=False)
    # The earlier of idle and absolute end, in whole seconds as tokens have them.
    expires_at = models.DateTimeField(editable=False, db_index=True)
    absolute_expires_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    end_reason = models.CharField(
        max_length=16, blank=True, choices=EndReason.choices, editable=False
    )

    # Where it was last refreshed, and where it began.
    ip_address = models.GenericIPAddressField(null=True, editable=False)
    first_ip_address = models.GenericIPAddressField(null=True, editable=False)
    user_agent = models.CharField(max_length=512, blank=True, editable=False)
    device_id = models.CharField(max_length=255, blank=True, editable=False)
    device_name = models.CharField(max_length=255, blank=True)
    location_city = models.CharField(max_length=128, blank=True, editable=False)
    location_country = models.CharField(max_length=128, blank=True, editable=False)

    objects = SessionQuerySet.as_manager()

    # Set by whoever lists them for a caller.
    is_current = False

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="a_session_ends_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("absolute_expires_at")),
                name="a_session_expires_by_its_absolute_end",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="sessions_by_age"),
            models.Index(fields=["ip_address", "-id"], name="sessions_by_address"),
            models.Index(
                fields=["end_reason", "-id"],
                name="sessions_by_end_reason",
                condition=~Q(end_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return self.device_name or str(self.pk)

    @property
    def audit_label(self) -> str:
        return self.device_name

    @property
    def audit_person_id(self) -> UUID:
        """Whose business an event about it is."""
        return self.user_id

    @property
    def is_active(self) -> bool:
        return self.ended_at is None and self.expires_at > timezone.now()

    @property
    def state(self) -> str:
        """In words: active, expired, or ended and why."""
        if self.is_active:
            return "active"
        return f"ended: {self.end_reason}" if self.end_reason else "expired"

    def is_of(self, user_id: UUID) -> bool:
        return self.user_id == user_id

    def lets_in(self, now: datetime) -> bool:
        """Neither ended nor expired, of an active person who ended nothing since."""
        return (
            self.ended_at is None
            and self.expires_at > now
            and self.user.is_active
            and self.user.session_epoch == self.epoch
        )

    def touch(self) -> None:
        """Notes the use, at most once in SESSION_TOUCH_INTERVAL; of two, one writes."""
        now = timezone.now()
        if now - self.last_used_at >= settings.SESSION_TOUCH_INTERVAL:
            same = Session.objects.filter(pk=self.pk, last_used_at=self.last_used_at)
            try:
                same.update(last_used_at=now)
            except OperationalError:
                # A full disk or a standby: who only reads must go on reading.
                logger.warning("last_use_not_noted", exc_info=True)

    def forgives(self, presented_digest: str, now: datetime) -> bool:
        """Whether this is the token just spent, presented again: the answer was lost.

        The grace runs from the stored rotation, so it does not slide, and no clock of a
        token counts.
        """
        return (
            presented_digest == self.previous_digest
            and now - self.rotated_at <= settings.REFRESH_GRACE
        )


def idle_end(now: datetime) -> datetime:
    """In whole seconds: it becomes the `exp` of a token."""
    return now.replace(microsecond=0) + settings.REFRESH_TOKEN_LIFETIME


def absolute_end(now: datetime) -> datetime:
    return now.replace(microsecond=0) + settings.SESSION_ABSOLUTE_LIFETIME
