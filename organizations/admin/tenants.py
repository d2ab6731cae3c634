from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from accounts.models import User
from config.admin import KeepsUntouched
from config.confirming import dangerous
from config.identifiers import read_id
from organizations import services
from organizations.admin.rooms import TenantRoom, shortened
from organizations.models import (
    DESCRIPTION_LENGTH,
    Membership,
    MembershipQuerySet,
    Organization,
    OrganizationQuerySet,
)
from organizations.roles import Role
from organizations.seats import take_seat

# On the page of their organization.
MEMBERS_SHOWN = 50


class OrganizationForm(forms.ModelForm[Organization]):
    description = forms.CharField(
        max_length=DESCRIPTION_LENGTH, required=False, widget=forms.Textarea
    )


class FirstMembers(BaseInlineFormSet[Membership, Organization, Any]):
    def get_queryset(self) -> Any:
        """The room of memberships has the others."""
        if not hasattr(self, "_first"):
            self._first = super().get_queryset()[:MEMBERS_SHOWN]
        return self._first


class Members(KeepsUntouched, admin.TabularInline[Membership, Organization]):
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
    """On its page superusers change what it is called, and its first members."""

    open_to_support = True
    form = OrganizationForm
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
    readonly_fields = (
        "id",
        "is_active",
        "settings",
        "members",
        "created_at",
        "updated_at",
    )
    actions = ("activate", "deactivate", "delete_for_good")
    makes_sense: ClassVar = {
        "activate": lambda organization, by: not organization.is_active,
        "deactivate": lambda organization, by: organization.is_active,
        "delete_for_good": lambda organization, by: not organization.is_active,
    }

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

    @dangerous("Activate", "Members can use it again, with the roles that they had.")
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
        seat = take_seat(cast(User, request.user), obj.pk)
        changed = {name: getattr(obj, name) for name in form.changed_data}
        services.update_organization(by=seat, **changed)

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,  # noqa: FBT001  # Django calls it so
    ) -> None:
        """All of it or nothing: a refusal leaves the transaction of the page."""
        leaving = formset.deleted_forms
        changed = [row for row in formset.initial_forms if row.has_changed()]
        staying = [row for row in changed if row not in leaving]
        if staying or leaving:
            self.require_confirmed(request)
        seat = take_seat(cast(User, request.user), form.instance.pk)
        # Who becomes an owner first: then a former one may be none any more.
        for row in sorted(staying, key=lambda row: row.instance.role != Role.OWNER):
            wanted = {name: row.cleaned_data[name] for name in row.changed_data}
            services.update_member(by=seat, user_id=row.instance.user_id, **wanted)
        for row in leaving:
            services.remove_member(by=seat, user_id=row.instance.user_id)
        # What Django's own history says of it.
        formset.new_objects = []
        formset.changed_objects = [(row.instance, row.changed_data) for row in staying]
        formset.deleted_objects = [row.instance for row in leaving]


def _each(rows: QuerySet[Organization]) -> list[tuple[Any, Any]]:
    return [(pk, {}) for pk in rows.order_by("pk").values_list("pk", flat=True)]
