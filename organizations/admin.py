"""The console's rooms for tenants: read, and acted upon through the services."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.text import Truncator

from accounts.addresses import email_key
from accounts.models import User
from config.admin import Room, person_at
from config.confirming import dangerous
from config.errors import DomainError
from config.identifiers import read_id
from organizations import services
from organizations.models import (
    STATUSES,
    Invitation,
    InvitationQuerySet,
    Membership,
    MembershipQuerySet,
    Organization,
    OrganizationQuerySet,
)
from organizations.roles import Role
from organizations.seats import take_seat

# On the page of their organization.
MEMBERS_SHOWN = 50


class TenantRoom(Room):
    """Acts from the superuser's seat in each organization; the events say so."""

    def act(
        self,
        request: HttpRequest,
        rows: list[tuple[Any, Any]],
        change: Callable[..., Any],
        **arguments: Any,
    ) -> None:
        """For each (organization's id, what `change` takes for the row): done or refused
        by itself, and told.
        """
        refused: Counter[str] = Counter()
        for organization_id, row in rows:
            try:
                seat = take_seat(cast(User, request.user), organization_id)
                change(by=seat, **row, **arguments)
            except DomainError as refusal:
                refused[refusal.message] += 1
        if done := len(rows) - refused.total():
            self.message_user(request, f"{done} changed.", messages.SUCCESS)
        for reason, number in refused.items():
            self.message_user(request, f"{reason} ({number})", messages.ERROR)


class FirstMembers(BaseInlineFormSet[Membership, Organization, Any]):
    def get_queryset(self) -> Any:
        """The room of memberships has the others."""
        if not hasattr(self, "_first"):
            self._first = super().get_queryset()[:MEMBERS_SHOWN]
        return self._first


class Members(admin.TabularInline[Membership, Organization]):
    model = Membership
    formset = FirstMembers
    fields = ("user", "role", "is_active", "joined_at")
    readonly_fields = ("user", "joined_at")
    ordering = ("joined_at", "id")
    extra = max_num = 0
    verbose_name_plural = f"the first {MEMBERS_SHOWN} members"

    def get_queryset(self, request: HttpRequest) -> MembershipQuerySet:
        return Membership.objects.listed().select_related("user")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return cast(User, request.user).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Organization)
class OrganizationAdmin(TenantRoom):
    """Of its page only the members are changed."""

    open_to_support = True
    confirms = "To change members"
    inlines = (Members,)
    list_display = ("short_name", "short_slug", "is_active", "members", "created_at")
    list_filter = ("is_active",)
    search_help_text = "A part of name or slug, or a whole id"
    sortable_by = ("short_slug", "created_at")
    ordering = ("-created_at", "-id")
    fields = (
        "id",
        "name",
        "slug",
        "description",
        "is_active",
        "settings",
        "members",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields
    actions = ("activate", "deactivate", "delete_for_good")

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if pk := read_id(text):
            return rows.filter(pk=pk)
        return cast(OrganizationQuerySet, rows).matching(text)

    @admin.display(description="name", ordering="name")
    def short_name(self, organization: Organization) -> str:
        return shortened(organization.name)

    @admin.display(description="slug", ordering="slug")
    def short_slug(self, organization: Organization) -> str:
        return shortened(organization.slug)

    @admin.display(description="members", ordering="member_count")
    def members(self, organization: Organization) -> int:
        return organization.member_count

    @admin.action(description="Activate", permissions=["superuser"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        change = services.set_organization_activity
        self.act(request, _each(queryset), change, active=True)

    @dangerous("Deactivate", "Members are strangers to it until it is activated again.")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        change = services.set_organization_activity
        self.act(request, _each(queryset), change, active=False)

    @dangerous(
        "Delete for good (deactivate first)",
        "They are gone, with members and invitations. Nothing brings them back; their"
        " events stay.",
    )
    def delete_for_good(
        self, request: HttpRequest, queryset: QuerySet[Organization]
    ) -> None:
        """In two steps, since nothing brings them back."""
        if number := queryset.filter(is_active=True).count():
            told = f"{number} not deleted: deactivate them first."
            self.message_user(request, told, messages.ERROR)
        shut = queryset.filter(is_active=False)
        self.act(request, _each(shut), services.delete_organization)

    def get_queryset(self, request: HttpRequest) -> OrganizationQuerySet:
        return Organization.objects.with_member_counts()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and self.has_superuser_permission(request)

    def save_model(
        self,
        request: HttpRequest,
        obj: Organization,
        form: Any,
        change: bool,  # noqa: FBT001  # Django calls it so
    ) -> None:
        """Nothing of the organization itself is in the form."""

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,  # noqa: FBT001  # Django calls it so
    ) -> None:
        """All of it or nothing: a refusal leaves the transaction of the page."""
        self.require_confirmed(request)
        seat = take_seat(cast(User, request.user), form.instance.pk)
        leaving = formset.deleted_forms
        changed = [row for row in formset.initial_forms if row.has_changed()]
        staying = [row for row in changed if row not in leaving]
        # Who becomes an owner first: then a former one may be none any more.
        for row in sorted(staying, key=lambda row: row.instance.role != Role.OWNER):
            wanted = {name: row.cleaned_data[name] for name in ("role", "is_active")}
            services.update_member(by=seat, user_id=row.instance.user_id, **wanted)
        for row in leaving:
            services.remove_member(by=seat, user_id=row.instance.user_id)
        # What Django's own history says of it.
        formset.new_objects = []
        formset.changed_objects = [(row.instance, row.changed_data) for row in staying]
        formset.deleted_objects = [row.instance for row in leaving]


@admin.register(Membership)
class MembershipAdmin(TenantRoom):
    list_display = ("user", "where", "role", "is_active", "joined_at")
    list_filter = ("role", "is_active")
    list_select_related = ("organization", "user")
    search_help_text = (
        "A whole mail address, slug, or id of a person or organization; or two of them"
    )
    ordering = ("-id",)
    fields = ("id", "organization", "user", "role", "is_active", "joined_at")
    readonly_fields = fields
    actions = (
        "make_owner",
        "make_admin",
        "make_member",
        "activate",
        "deactivate",
        "remove",
    )

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        for word in text.split():
            rows = rows.filter(_membership_of(word))
        return rows

    @admin.display(description="organization", ordering="organization__name")
    def where(self, membership: Membership) -> str:
        return shortened(membership.organization.name)

    @dangerous("Make owner", "They can do everything there, and make other owners.")
    def make_owner(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, role=Role.OWNER)

    @admin.action(description="Make admin", permissions=["superuser"])
    def make_admin(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, role=Role.ADMIN)

    @admin.action(description="Make member", permissions=["superuser"])
    def make_member(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, role=Role.MEMBER)

    @admin.action(description="Activate", permissions=["superuser"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, is_active=True)

    @admin.action(description="Deactivate", permissions=["superuser"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, is_active=False)

    @dangerous("Remove from the organization", "They are strangers to it at once.")
    def remove(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.remove_member)

    def get_queryset(self, request: HttpRequest) -> MembershipQuerySet:
        return Membership.objects.listed()


class StatusFilter(admin.SimpleListFilter):
    """As the column and the API have it: expired is no state of its own."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, status.capitalize()) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted not in STATUSES:
            return queryset
        return queryset & Invitation.objects.with_status(wanted)


@admin.register(Invitation)
class InvitationAdmin(TenantRoom):
    list_display = ("email", "where", "role", "status", "inviter", "expires_at")
    list_filter = (StatusFilter, "role")
    list_select_related = ("organization", "inviter")
    search_help_text = "A whole mail address, slug, or id of invitation or organization"
    ordering = ("-id",)
    # The digest of a token is nobody's business, not even a superuser's.
    fields = (
        "id",
        "organization",
        "email",
        "role",
        "status",
        "inviter",
        "created_at",
        "expires_at",
        "ended_at",
    )
    readonly_fields = fields
    actions = ("revoke", "send_again")

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if pk := read_id(text):
            return rows.filter(Q(pk=pk) | Q(organization=pk))
        if key := _key_of(text):
            return cast(InvitationQuerySet, rows).for_email_key(key)
        return rows.filter(organization__slug=text)

    @admin.display(description="organization", ordering="organization__name")
    def where(self, invitation: Invitation) -> str:
        return shortened(invitation.organization.name)

    @admin.display(description="status")
    def status(self, invitation: Invitation) -> str:
        return invitation.status

    @admin.action(description="Revoke", permissions=["superuser"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self.act(request, _invitations(queryset), services.revoke_invitation)

    @admin.action(description="Send again, with a new link", permissions=["superuser"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self.act(request, _invitations(queryset), services.resend_invitation)

    def get_queryset(self, request: HttpRequest) -> InvitationQuerySet:
        return Invitation.objects.all()


def _membership_of(word: str) -> Q:
    if pk := read_id(word):
        return Q(pk=pk) | Q(organization=pk) | Q(user=pk)
    if person := person_at(word):
        return Q(user=person.pk)
    return Q(organization__slug=word)


def _key_of(text: str) -> str:
    """Empty for what is no mail address."""
    try:
        return email_key(text)
    except ValidationError:
        return ""


def shortened(name: str) -> str:
    """One long name must not push every other column out of sight."""
    return Truncator(name).chars(40)


def _each(rows: QuerySet[Organization]) -> list[tuple[Any, Any]]:
    return [(pk, {}) for pk in rows.order_by("pk").values_list("pk", flat=True)]


def _members(rows: QuerySet[Membership]) -> list[tuple[Any, Any]]:
    pairs = rows.order_by("pk").values_list("organization_id", "user_id")
    return [(organization, {"user_id": user}) for organization, user in pairs]


def _invitations(rows: QuerySet[Invitation]) -> list[tuple[Any, Any]]:
    pairs = rows.order_by("pk").values_list("organization_id", "pk")
    return [(organization, {"invitation_id": pk}) for organization, pk in pairs]
