"""What happened in an organization, for those who answer for it."""

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.pages import EventQuery, EventSerializer, as_file, narrowed
from config import errors
from config.api.pages import PaginationSerializer, order, page_of
from limits import rates
from limits.throttles import subject
from organizations.api.permissions import OrganizationView
from organizations.errors import NotAMember, RoleTooLow
from organizations.roles import Capability


class EventPageSerializer(serializers.Serializer[Any]):
    data = EventSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


class EventListView(OrganizationView):
    needs = {"GET": Capability.VIEW_EVENTS}
    limits: ClassVar = {"GET": "organization_events"}
    refusals: ClassVar = {
        "GET": [NotAMember, RoleTooLow, errors.NotFound, errors.ValidationFailed]
    }

    @extend_schema(
        operation_id="list_organization_events",
        tags=["Organizations"],
        parameters=[EventQuery],
        responses={
            (200, "application/json"): EventPageSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request, organization: str) -> HttpResponseBase:
        """The organization's own events, newest first; or all of them as a file, of which
        a few a minute are made.
        """
        query = EventQuery.read(request)
        events = narrowed(self.seat.organization_events, query)
        if query["format"] != "json":
            rates.enforce("export_events", subject(request))
            return as_file(events, query["format"], EventSerializer)
        rows = order(events, by="pk", direction=query["sort_order"])
        return Response(page_of(rows, query, EventSerializer))
