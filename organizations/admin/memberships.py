from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from config.admin import person_at
from config.confirming import dangerous
from config.identifiers import read_id
from organizations import services
from organizations.admin.rooms import TenantRoom, shortened
from organizations.models import Membership, MembershipQuerySet
from organizations.roles import Role


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
    makes_sense: ClassVar = {
        "make_owner": lambda member, by: member.role != Role.OWNER,
        "make_admin": lambda member, by: member.role != Role.ADMIN,
        "make_member": lambda member, by: member.role != Role.MEMBER,
        "activate": lambda member, by: not member.is_active,
        "deactivate": lambda member, by: member.is_active,
    }

    def called(self, row: Membership) -> str:
        return f"{row.user.email}, {row.role} in {shortened(row.organization.name)}"

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

    @dangerous("Make admin", "They can manage members and invitations there.")
    def make_admin(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, role=Role.ADMIN)

    @dangerous("Make member", "They can manage nothing there any more.")
    def make_member(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, role=Role.MEMBER)

    @dangerous("Activate", "They are members again, with the role that they had.")
    def activate(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, is_active=True)

    @dangerous("Deactivate", "They are strangers to it until they are activated again.")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.update_member, is_active=False)

    @dangerous("Remove from the organization", "They are strangers to it at once.")
    def remove(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.act(request, _members(queryset), services.remove_member)

    def get_queryset(self, request: HttpRequest) -> MembershipQuerySet:
        return Membership.objects.listed()


def _membership_of(word: str) -> Q:
    if pk := read_id(word):
        return Q(pk=pk) | Q(organization=pk) | Q(user=pk)
    if person := person_at(word):
        return Q(user=person.pk)
    return Q(organization__slug=word)


def _members(rows: QuerySet[Membership]) -> list[tuple[Any, Any]]:
    pairs = rows.order_by("pk").values_list("organization_id", "user_id")
    return [(organization, {"user_id": user}) for organization, user in pairs]
