from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.admin import Room
from sessions_app import services
from sessions_app.models import EndReason, Session, SessionQuerySet


@admin.register(Session)
class SessionAdmin(Room):
    """Sessions are begun by signing in and ended by the action, nothing else."""

    list_display = (
        "user",
        "device_name",
        "ip_address",
        "location_country",
        "last_used_at",
        "expires_at",
        "ended_at",
        "end_reason",
    )
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "end_reason")
    list_select_related = ("user",)
    search_fields = ("=id", "user__email", "=ip_address")
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

    @admin.action(description="End the selected sessions", permissions=["view"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        chosen = Session.objects.filter(pk__in=queryset.values("pk"))
        number = services.end_sessions(chosen, reason=EndReason.REVOKED, by=request.user)
        self.message_user(request, f"{number} sessions ended.", messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> SessionQuerySet:
        return Session.objects.all()
