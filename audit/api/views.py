"""The whole log, for superusers."""

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Event, EventQuerySet
from audit.pages import LogQuery, WholeEventSerializer, as_file, narrowed
from config import errors
from config.api.permissions import SUPERUSERS_ONLY
from config.api.views import APIView


class EventLogPageSerializer(serializers.Serializer[Any]):
    data = WholeEventSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    next_cursor = serializers.UUIDField(allow_null=True)


class EventLogView(APIView):
    permission_classes = SUPERUSERS_ONLY
    limits: ClassVar = {"GET": "admin_events"}
    refusals: ClassVar = {"GET": [errors.PermissionDenied, errors.ValidationFailed]}

    @extend_schema(
        operation_id="admin_list_events",
        tags=["Administration"],
        parameters=[LogQuery],
        responses={
            (200, "application/json"): EventLogPageSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Everything that happened, newest first; or all of it as a file."""
        query = LogQuery.read(request)
        events = narrowed(Event.objects.all(), query)
        if query["format"] != "json":
            return as_file(events, query["format"], WholeEventSerializer)
        return Response(_page(events, query["limit"]))


def _page(events: EventQuerySet, limit: int) -> dict[str, Any]:
    rows = WholeEventSerializer.of_rows(events.order_by("-pk")[: limit + 1])
    page = rows[:limit]
    more = len(rows) > limit
    return {"data": page, "next_cursor": page[-1]["id"] if more else None}
