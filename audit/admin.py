from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin[Event]):
    """Read-only, for everybody: the past is not edited."""

    list_display = ("at", "action", "outcome", "actor_label", "target_label", "address")
    list_filter = ("outcome",)
    search_fields = ("=action", "=actor_id", "=target_id", "=request_id", "actor_label")
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
