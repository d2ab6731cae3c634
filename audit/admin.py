from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet

from audit.models import Event
from config.admin import Room, person_at
from config.identifiers import read_id


@admin.register(Event)
class EventAdmin(Room):
    """Read-only, for everybody: the past is not edited."""

    open_to_support = True
    list_display = ("at", "action", "outcome", "actor_label", "target_label", "address")
    list_filter = ("outcome",)
    search_help_text = (
        "A whole action, mail address of a person, or id of a person, thing or request"
    )
    ordering = ("-id",)

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if subject := read_id(text) or getattr(person_at(text), "pk", None):
            about = Q(actor_id=subject) | Q(target_id=subject)
            return rows.filter(about | Q(request_id=text) | Q(pk=subject))
        return rows.filter(Q(action=text) | Q(request_id=text))
