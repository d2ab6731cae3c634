from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from audit.models import Event, EventQuerySet
from config.admin import Room, person_at
from config.identifiers import read_id


@admin.register(Event)
class EventAdmin(Room):
    """Read-only, for everybody: the past is not edited."""

    open_to_support = True
    list_display = ("at", "action", "outcome", "by", "to")
    list_filter = ("outcome",)
    search_help_text = (
        "A whole action, mail address of a person, or id of a person, thing or request"
    )
    ordering = ("-id",)
    # What a right was given or taken is not for support, and `data` tells it too.
    FIELDS = (
        "id",
        "at",
        "action",
        "outcome",
        "actor",
        "target",
        "organization",
        "session",
        "address",
        "agent",
        "request_id",
        "data",
    )
    readonly_fields = FIELDS

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        everything = self.has_superuser_permission(request)
        return self.FIELDS if everything else self.FIELDS[:-1]

    def get_queryset(self, request: HttpRequest) -> EventQuerySet:
        rows = Event.objects.all()
        return rows if self.has_superuser_permission(request) else rows.for_support()

    @admin.display(description="by")
    def by(self, event: Event) -> str:
        return event.actor_label

    @admin.display(description="to")
    def to(self, event: Event) -> str:
        return event.target_label

    @admin.display(description="actor")
    def actor(self, event: Event) -> str:
        return self._link("user", event.actor_id, event.actor_label)

    @admin.display(description="target")
    def target(self, event: Event) -> str:
        return self._link(event.target_type, event.target_id, event.target_label)

    @admin.display(description="organization")
    def organization(self, event: Event) -> str:
        return self._link("organization", event.organization_id)

    @admin.display(description="session")
    def session(self, event: Event) -> str:
        return self._link("session", event.session_id)

    def _link(self, kind: str, pk: UUID | None, label: str = "") -> str:
        """To the page of what it is about, which may be gone."""
        if pk is None:
            return label or "-"
        page, text = self.site.page_of(kind, pk), f"{kind} {label or pk}"
        return format_html('<a href="{}">{}</a>', page, text) if page else text

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if subject := read_id(text) or getattr(person_at(text), "pk", None):
            about = Q(actor_id=subject) | Q(target_id=subject)
            return rows.filter(about | Q(request_id=text) | Q(pk=subject))
        # A request's id would be an id. With it in an OR no index gives the order, and
        # what is rare is looked for in the whole table.
        return rows.filter(action=text)
