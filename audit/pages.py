"""Reading events over REST: what may be asked for, and what is shown."""

from typing import Any

from rest_framework import serializers

from audit.models import EventQuerySet, Outcome
from config.api.pages import PageQuery
from config.api.serializers import RowSerializer


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


FILTERS = {
    "action": "action",
    "outcome": "outcome",
    "actor": "actor_id",
    "since": "at__gte",
    "until": "at__lt",
}


def narrowed(events: EventQuerySet, query: dict[str, Any]) -> EventQuerySet:
    wanted = {FILTERS[name]: query[name] for name in FILTERS.keys() & query.keys()}
    return events.filter(**wanted)
