from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, F, FilteredRelation, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.addresses import email_key
from accounts.models import User
from config.identifiers import new_id
from config.lines import validate_line
from organizations import slugs
from organizations.roles import Role

NAME_LENGTH = 255
DESCRIPTION_LENGTH = 2000


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def at(self, address: str) -> Self:
        """By id or by slug: none is like the other."""
        if slugs.ID.match(address):
            return self.filter(pk=UUID(address))
        return self.filter(slug=address)

    def seen_by(self, user_id: UUID, *, is_active: bool = True) -> Self:
        """All of them, with `my_role`: the person's by an active membership (or one shut
        out), null where there is none.
        """
        own = Q(memberships__user_id=user_id, memberships__is_active=is_active)
        return self.annotate(
            own_membership=FilteredRelation("memberships", condition=own),
            my_role=F("own_membership__role"),
        )

    def with_member_counts(self) -> Self:
        """In the same statement."""
        here = Membership.objects.active().filter(organization=OuterRef("pk"))
        # Few are deleted and not yet anonymised: counting all, which needs no look at
        # people, and taking those off is a tenth of the work for a large organization.
        gone = here.filter(user__deleted_at__isnull=False, user__anonymized_at=None)
        return self.annotate(member_count=_number_of(here) - _number_of(gone))

    def owned_by(self, user_ids: Any) -> Self:
        """Also by those who count as no active owner."""
        own = Membership.objects.filter(
            user__in=user_ids, role=Role.OWNER, is_active=True
        )
        return self.filter(pk__in=own.values("organization"))

    def matching(self, text: str) -> Self:
        """Part of the name or of the slug, whatever the case; no wildcards."""
        return self.filter(Q(name__icontains=text) | Q(slug__icontains=text))

    def locked(self) -> Self:
        """In id order, so that two who lock several never wait for each other."""
        return self.select_for_update(no_key=True).order_by("pk")


def _number_of(members: "MembershipQuerySet") -> Coalesce:
    counted = members.values("organization").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


class Organization(models.Model):
    """A tenant. Its members change under a lock on this row, and it always has an active
    owner.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=NAME_LENGTH, validators=[validate_line])
    slug = models.CharField(
        max_length=slugs.MAXIMUM_LENGTH, validators=[slugs.validate_slug]
    )
    description = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    settings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)

    objects = OrganizationQuerySet.as_manager()

    # The caller's, where `seen_by` asked for it.
    my_role: Role | None = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="one_organization_per_slug"),
            models.CheckConstraint(
                condition=Q(slug__regex=slugs.PATTERN.pattern), name="a_slug_has_its_form"
            ),
            models.CheckConstraint(
                condition=~Q(name=""), name="an_organization_has_a_name"
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="tenants_by_age")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_label(self) -> str:
        return self.slug

    @cached_property
    def member_count(self) -> int:
        """Asked for once, unless `with_member_counts` brought it along."""
        return self.memberships.listed().active().count()

    @property
    def reference(self) -> dict[str, Any]:
        """How others name it."""
        return {"id": str(self.pk), "name": self.name, "slug": self.slug}

    def without_contents(self) -> Self:
        """For who was shut out: the name, and nothing that is kept in it."""
        self.settings, self.description, self.member_count = {}, "", 0
        return self


class MembershipQuerySet(models.QuerySet["Membership"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def listed(self) -> Self:
        """Of people who are not deleted: those are in no list.

        There are few of those, so they are left out instead of looking at every member: a
        third of the work for the count of a large organization.
        """
        return self.filter(~Exists(User.objects.deleted().filter(pk=OuterRef("user"))))

    def owning(self) -> Self:
        """Active owners: who is shut out or leaving no longer counts."""
        return self.active().filter(
            role=Role.OWNER, user__is_active=True, user__leaving_since=None
        )

    def with_email(self, address: str) -> Self:
        return self.filter(user__email_key=email_key(address))

    def matching(self, text: str) -> Self:
        """Part of the address or of a name, whatever the case; no wildcards."""
        return self.filter(
            Q(user__email__icontains=text)
            | Q(user__first_name__icontains=text)
            | Q(user__last_name__icontains=text)
        )


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The unique constraint begins with it, and serves as its index.
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="memberships", db_index=False
    )
    # A person with memberships is anonymised, never deleted: that asks the guards.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="one_membership_per_user"
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="a_membership_has_a_known_role"
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "joined_at", "id"], name="members_by_age"
            ),
            # In the order of a page: PostgreSQL plans for an organization of average
            # size, and would read all members of a large one to sort them.
            models.Index(
                fields=["organization", "joined_at", "id"],
                include=["user"],
                name="active_members_by_age",
                condition=Q(is_active=True),
            ),
            models.Index(
                fields=["-id"], name="inactive_members", condition=Q(is_active=False)
            ),
            models.Index(
                fields=["organization"],
                name="owners_of_tenants",
                condition=Q(role=Role.OWNER),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def first_name(self) -> str:
        return self.user.first_name

    @property
    def last_name(self) -> str:
        return self.user.last_name
