from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.addresses import MAXIMUM_KEY_LENGTH
from accounts.addresses import MAXIMUM_LENGTH as MAXIMUM_EMAIL_LENGTH
from config.identifiers import new_id
from organizations.models.tenants import Membership, Organization
from organizations.roles import Capability, Role, holders


class State(models.TextChoices):
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVOKED = "revoked"


# Not stored: an open invitation past its time is expired.
EXPIRED = "expired"
STATUSES = (*State.values, EXPIRED)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self, now: datetime | None = None) -> Self:
        """Open, and still of use."""
        return self.filter(state=State.OPEN, expires_at__gt=now or timezone.now())

    def standing(self) -> Self:
        """Of use, to an active organization, from who still may grant the role."""
        theirs = Membership.objects.active().filter(
            organization=OuterRef("organization"), user=OuterRef("inviter")
        )
        inviting = theirs.filter(role__in=holders(Capability.MANAGE_INVITATIONS))
        making_owners = theirs.filter(role__in=holders(Capability.MANAGE_OWNERS))
        entitled = (
            Q(inviter__is_superuser=True)
            | Q(Exists(making_owners))
            | (~Q(role=Role.OWNER) & Q(Exists(inviting)))
        )
        return self.pending().filter(
            entitled,
            inviter__is_active=True,
            inviter__leaving_since=None,
            organization__is_active=True,
        )

    def with_status(self, status: str) -> Self:
        """One of STATUSES."""
        if status == EXPIRED:
            return self.filter(state=State.OPEN, expires_at__lte=timezone.now())
        return self.pending() if status == State.OPEN else self.filter(state=status)

    def with_inviters(self) -> Self:
        """Who invited is shown while both belong to the organization."""
        theirs = (
            Membership.objects.active()
            .listed()
            .filter(organization=OuterRef("organization"), user=OuterRef("inviter"))
        )
        return self.select_related("inviter").annotate(inviter_belongs=Exists(theirs))

    def for_email_key(self, key: str) -> Self:
        return self.filter(email_key=key)

    def with_token(self, token_digest: str) -> Self:
        return self.filter(token_digest=token_digest)


class Invitation(models.Model):
    """For one address, to one organization. The token is in the mail and nowhere else."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="invitations", db_index=False
    )
    email = models.EmailField(max_length=MAXIMUM_EMAIL_LENGTH)
    email_key = models.CharField(max_length=MAXIMUM_KEY_LENGTH, editable=False)
    role = models.CharField(max_length=16, choices=Role.choices)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.OPEN, editable=False
    )
    inviter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="sent_invitations",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    # Where `with_inviters` did not ask, it was the inviter who just did.
    inviter_belongs = True

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email_key"],
                condition=Q(state=State.OPEN),
                name="one_open_invitation_per_email",
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="an_invitation_has_a_known_role"
            ),
            models.CheckConstraint(
                condition=Q(state=State.OPEN, ended_at=None)
                | (
                    Q(state__in=[State.ACCEPTED, State.DECLINED, State.REVOKED])
                    & Q(ended_at__isnull=False)
                ),
                name="an_invitation_ends_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "created_at", "id"], name="invitations_by_age"
            ),
            models.Index(fields=["email_key"], name="invitations_by_email"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    @property
    def audit_label(self) -> str:
        return self.email

    @property
    def is_pending(self) -> bool:
        return self.state == State.OPEN and self.expires_at > timezone.now()

    @property
    def status(self) -> str:
        expired = self.state == State.OPEN and not self.is_pending
        return EXPIRED if expired else self.state

    @property
    def invited_by(self) -> dict[str, Any] | None:
        if self.inviter is None or not self.inviter_belongs:
            return None
        return {"user_id": self.inviter.pk, "email": self.inviter.email}
