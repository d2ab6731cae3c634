from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.addresses import MAXIMUM_KEY_LENGTH, MAXIMUM_LENGTH, email_key
from accounts.locales import validate_locale
from accounts.phones import validate_phone_number
from config.identifiers import new_id
from config.lines import validate_line
from sessions_app.models import HoldsSessions


class UserQuerySet(models.QuerySet["User"]):
    def existing(self) -> Self:
        """Not deleted: a deleted person is in no list."""
        return self.filter(deleted_at=None)

    def deleted(self) -> Self:
        """And not yet anonymised: who is that has nothing left."""
        return self.filter(deleted_at__isnull=False, anonymized_at=None)

    def active_superusers(self) -> Self:
        """Those who stay: who is leaving no longer counts."""
        return self.filter(is_superuser=True, is_active=True, leaving_since=None)

    def gone_for_good(self, now: datetime | None = None) -> Self:
        """Whose time to come back, or to be brought back, is over."""
        now = now or timezone.now()
        left = Q(leaving_since__lte=now - settings.LEAVING_GRACE)
        deleted = Q(deleted_at__lte=now - settings.DELETED_GRACE)
        return self.filter(left | deleted, anonymized_at=None)

    def locked(self) -> Self:
        """In id order, so that two who lock several never wait for each other."""
        return self.select_for_update(no_key=True).order_by("pk")

    def matching(self, text: str) -> Self:
        """Part of the address or of a name, whatever the case; no wildcards."""
        return self.filter(
            Q(email__in_address=text)
            | Q(first_name__icontains=text)
            | Q(last_name__icontains=text)
        )


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def existing(self) -> UserQuerySet:
        return self.get_queryset().existing()

    def deleted(self) -> UserQuerySet:
        return self.get_queryset().deleted()

    def active_superusers(self) -> UserQuerySet:
        return self.get_queryset().active_superusers()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Raises User.DoesNotExist, also for what is no address."""
        try:
            return self.get(email_key=email_key(username or ""))
        except ValidationError as exc:
            raise self.model.DoesNotExist from exc

    def create_user(self, email: str, password: str | None, **fields: Any) -> "User":
        """Raises ValidationError for a bad address, IntegrityError for a taken one."""
        user = self.model(email=email.strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None, **fields: Any) -> "User":
        return self.create_user(
            email,
            password,
            **{"email_verified": True, "is_staff": True, "is_superuser": True, **fields},
        )


class User(HoldsSessions, AbstractBaseUser, PermissionsMixin):
    """A person. Known by mail address; leaves by `deactivate_users` and no other way."""

    SESSION_COLUMNS = (
        "id",
        "email",
        "first_name",
        "last_name",
        "phone_number",
        "locale",
        "preferences",
        "email_verified",
        "is_active",
        "is_superuser",
        "created_at",
        "updated_at",
        "session_epoch",
    )
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["first_name"]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(max_length=MAXIMUM_LENGTH)
    email_key = models.CharField(max_length=MAXIMUM_KEY_LENGTH, editable=False)
    email_verified = models.BooleanField(default=False)
    first_name = models.CharField(max_length=150, validators=[validate_line])
    last_name = models.CharField(max_length=150, blank=True, validators=[validate_line])
    phone_number = models.CharField(
        max_length=15, blank=True, validators=[validate_phone_number]
    )
    locale = models.CharField(max_length=35, blank=True, validators=[validate_locale])
    preferences = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    # A person's own wish: signing in takes it back. `deleted_at` is a superuser's.
    leaving_since = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    anonymized_at = models.DateTimeField(null=True, editable=False)

    objects = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email_key"], name="one_account_per_email"),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(is_active=False),
                name="a_deleted_person_is_inactive",
            ),
            models.CheckConstraint(
                condition=Q(anonymized_at=None) | Q(deleted_at__isnull=False),
                name="an_anonymized_person_is_deleted",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="people_by_age"),
            # The few among a million, which the console filters by.
            models.Index(
                fields=["-created_at", "-id"],
                name="inactive_people",
                condition=Q(is_active=False),
            ),
            models.Index(
                fields=["-created_at", "-id"], name="staff", condition=Q(is_staff=True)
            ),
            models.Index(
                fields=["-created_at", "-id"],
                name="superusers",
                condition=Q(is_superuser=True),
            ),
            models.Index(
                fields=["leaving_since"],
                name="people_who_leave",
                condition=Q(leaving_since__isnull=False, anonymized_at=None),
            ),
            models.Index(
                fields=["deleted_at"],
                name="people_to_anonymize",
                condition=Q(deleted_at__isnull=False, anonymized_at=None),
            ),
            # Whether a member is one of them: asked of each, in lists and counts.
            models.Index(
                fields=["id"],
                name="deleted_people",
                condition=Q(deleted_at__isnull=False, anonymized_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """The key follows the address, on every path that saves."""
        written = kwargs.get("update_fields")
        if written is None or "email" in written:
            self.email_key = email_key(self.email)
            if written is not None:
                kwargs["update_fields"] = {*written, "email_key"}
        super().save(*args, **kwargs)

    @property
    def audit_label(self) -> str:
        return self.email

    @property
    def audit_person_id(self) -> UUID:
        """Whose business an event about the account is."""
        return self.pk

    @property
    def is_present(self) -> bool:
        """Let in, and not leaving."""
        return self.is_active and self.leaving_since is None

    @property
    def is_in_charge(self) -> bool:
        """A superuser who stays."""
        return self.is_superuser and self.is_present

    def may_tend(self, other: "User") -> bool:
        """Edit the profile of, end the sessions of, mail a link to: support does that for
        those who have no right themselves.
        """
        if not self.is_present or not self.is_staff:
            return False
        return self.is_superuser or not (other.is_staff or other.is_superuser)

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_session_auth_hash(self) -> str:
        """A console session ends with the password, and with every other session."""
        return salted_hmac(
            "accounts.console",
            f"{self.password}:{self.session_epoch}",
            algorithm="sha256",
        ).hexdigest()

    def get_session_auth_fallback_hash(self) -> Any:
        """No second secret verifies: SECRET_KEY_FALLBACKS is not in use."""
        return iter(())


class Purpose(models.TextChoices):
    RESET = "reset"
    VERIFY = "verify"
    ADDRESS = "address"
    RETURN_ADDRESS = "return_address"
    DISOWN = "disown"
    STAY = "stay"


class ProofQuerySet(models.QuerySet["Proof"]):
    def open(self, now: datetime | None = None) -> Self:
        return self.filter(expires_at__gt=now or timezone.now())

    def past(self, now: datetime | None = None) -> Self:
        return self.filter(expires_at__lte=now or timezone.now())

    def of(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)


class Proof(models.Model):
    """A one-time secret that was mailed: who has it reads the mail of that address.

    Only digests are stored. A newer one for the same purpose and subject replaces it;
    it is spent by deleting it, so of any number at once one wins; and it is dead once
    `basis`, a digest of what it rests on, is no longer what the account has.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="proofs")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, editable=False)
    subject = models.CharField(max_length=64, blank=True, editable=False)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    code_digest = models.CharField(max_length=64, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    basis = models.CharField(max_length=64, editable=False)
    data = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)

    objects = ProofQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "purpose", "subject"],
                name="one_proof_per_purpose_and_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"
