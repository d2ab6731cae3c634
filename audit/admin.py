from django.contrib import admin

from audit.models import Event
from config.admin import Room


@admin.register(Event)
class EventAdmin(Room):
    """Read-only, for everybody: the past is not edited."""

    list_display = ("at", "action", "outcome", "actor_label", "target_label", "address")
    list_filter = ("outcome",)
    search_fields = ("=action", "=actor_id", "=target_id", "=request_id", "actor_label")
    ordering = ("-id",)
