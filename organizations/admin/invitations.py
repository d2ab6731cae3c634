from typing import Any, ClassVar, cast

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.addresses import email_key
from config.confirming import dangerous
from config.identifiers import read_id
from organizations import services
from organizations.admin.rooms import TenantRoom, shortened
from organizations.models import STATUSES, Invitation, InvitationQuerySet, State


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
    makes_sense: ClassVar = {
        "revoke": lambda invitation, by: invitation.state == State.OPEN,
        "send_again": lambda invitation, by: invitation.state == State.OPEN,
    }

    def called(self, row: Invitation) -> str:
        return f"{row.email}, {row.role} in {shortened(row.organization.name)}"

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

    @dangerous("Revoke", "The link in the mail is worth nothing from then on.")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self.act(request, _invitations(queryset), services.revoke_invitation)

    @dangerous("Send again, with a new link", "The link before is worth nothing then.")
    def send_again(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        self.act(request, _invitations(queryset), services.resend_invitation)

    def get_queryset(self, request: HttpRequest) -> InvitationQuerySet:
        return Invitation.objects.all()


def _key_of(text: str) -> str:
    """Empty for what is no mail address."""
    try:
        return email_key(text)
    except ValidationError:
        return ""


def _invitations(rows: QuerySet[Invitation]) -> list[tuple[Any, Any]]:
    pairs = rows.order_by("pk").values_list("organization_id", "pk")
    return [(organization, {"invitation_id": pk}) for organization, pk in pairs]
