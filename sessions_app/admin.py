from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from config.addresses import canonical
from config.admin import Room, person_at
from config.confirming import dangerous
from config.identifiers import read_id
from sessions_app import services
from sessions_app.models import EndReason, Session, SessionQuerySet


class EndedFilter(admin.SimpleListFilter):
    title = "ended"
    parameter_name = "ended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "no":
            return queryset.filter(ended_at=None)
        # As the index `sessions_by_end_reason` has it; one goes with the other.
        return queryset.exclude(end_reason="") if self.value() == "yes" else queryset


@admin.register(Session)
class SessionAdmin(Room):
    """Sessions are begun by signing in and ended by the action, nothing else."""

    open_to_support = True
    list_display = ("user", "device_name", "ip_address", "last_used_at", "state")
    list_filter = (EndedFilter, "end_reason")
    list_select_related = ("user",)
    search_help_text = (
        "A whole mail address or IP address, or the id of session or person"
    )
    ordering = ("-id",)
    # Digests of tokens are nobody's business, not even a superuser's.
    fields = (
        "id",
        "user",
        "device_name",
        "device_id",
        "user_agent",
        "ip_address",
        "location_city",
        "location_country",
        "created_at",
        "last_used_at",
        "expires_at",
        "absolute_expires_at",
        "rotations",
        "ended_at",
        "end_reason",
    )
    readonly_fields = fields
    actions = ("end_sessions",)
    makes_sense: ClassVar = {"end_sessions": lambda session, by: session.is_active}

    @admin.display(description="state")
    def state(self, session: Session) -> str:
        return session.state

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if pk := read_id(text):
            return rows.filter(Q(pk=pk) | Q(user_id=pk))
        if person := person_at(text):
            return rows.filter(user_id=person.pk)
        if address := canonical(text):
            return rows.filter(ip_address=address)
        return rows.none()

    @dangerous("End", "These devices are out with their next request.")
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        chosen = Session.objects.filter(pk__in=queryset.values("pk"))
        number = services.end_sessions(chosen, reason=EndReason.REVOKED, by=request.user)
        self.message_user(request, f"{number} sessions ended.", messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> SessionQuerySet:
        return Session.objects.all()
