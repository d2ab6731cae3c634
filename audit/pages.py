"""Reading events over REST: what may be asked for, and what is shown."""

from typing import Any

from django.http import StreamingHttpResponse
from rest_framework import serializers

from audit.exports import as_jsonl
from audit.models import Event, EventQuerySet, Outcome
from config.api.pages import PageQuery
from config.api.serializers import RowSerializer
from config.sheets import as_csv


class EventQuery(PageQuery):
    """Newest first, unless told otherwise."""

    action = serializers.CharField(required=False, max_length=64)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False)
    actor = serializers.UUIDField(required=False, help_text="The id of a person.")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Not included.")
    sort_order = serializers.ChoiceField(choices=("asc", "desc"), default="desc")
    format = serializers.ChoiceField(
        choices=("json", "csv", "jsonl"),
        default="json",
        help_text="A page, or all of them, newest first, as a stream.",
    )


class EventSerializer(RowSerializer):
    """Without address, agent and session: those are the person's own business."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    outcome = serializers.CharField()
    actor_id = serializers.UUIDField(allow_null=True)
    actor_label = serializers.CharField(help_text="What it was called at that time.")
    target_type = serializers.CharField()
    target_id = serializers.UUIDField(allow_null=True)
    target_label = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]  # hides `Serializer.data`, not used here


class WholeEventSerializer(EventSerializer):
    """All of it, for superusers."""

    organization_id = serializers.UUIDField(allow_null=True)
    session_id = serializers.UUIDField(allow_null=True)
    address = serializers.IPAddressField(allow_null=True)
    agent = serializers.CharField()
    request_id = serializers.CharField()


class LogQuery(EventQuery):
    """Page by page by where the last one ended, so nothing is counted."""

    page = None  # type: ignore[assignment]  # how DRF drops an inherited field
    sort_order = None  # type: ignore[assignment]  # how DRF drops an inherited field
    target = serializers.UUIDField(required=False)
    organization = serializers.UUIDField(required=False)
    request_id = serializers.CharField(required=False, max_length=36)
    cursor = serializers.UUIDField(
        required=False, help_text="`next_cursor` of the page before."
    )


FILTERS = {
    "action": "action",
    "outcome": "outcome",
    "actor": "actor_id",
    "target": "target_id",
    "organization": "organization_id",
    "request_id": "request_id",
    "cursor": "pk__lt",
    "since": "at__gte",
    "until": "at__lt",
}


def narrowed(events: EventQuerySet, query: dict[str, Any]) -> EventQuerySet:
    wanted = {FILTERS[name]: query[name] for name in FILTERS.keys() & query.keys()}
    return events.filter(**wanted)


def as_file(
    events: EventQuerySet, ending: str, serializer: type[EventSerializer]
) -> StreamingHttpResponse:
    """`ending` is csv or jsonl."""
    described = serializer()

    def describe(event: Event) -> dict[str, Any]:
        return described.to_representation(event)

    if ending == "csv":
        pieces = as_csv(events, describe, list(described.fields))
        kind = "text/csv; charset=utf-8"
    else:
        pieces = as_jsonl(events, describe)
        kind = "application/x-ndjson"
    disposition = f'attachment; filename="events.{ending}"'
    return StreamingHttpResponse(
        pieces, content_type=kind, headers={"Content-Disposition": disposition}
    )
