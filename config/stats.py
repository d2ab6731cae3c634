"""The figures behind the dashboard and GET /admin/stats: four statements, always."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from config import errors
from config.api.permissions import SUPERUSERS_ONLY
from config.api.views import APIView
from organizations.models import Organization

GROWTH_DAYS = 30
REGISTRATION_DAYS = 14
LARGEST = 6
# In English, whatever the locale of the process.
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

ACTIVE = Q(is_active=True)


def figures(today: date | None = None) -> dict[str, Any]:
    """Days are UTC's; the last one is today. Deleted people count nowhere."""
    today = today or timezone.now().date()
    first = today - timedelta(days=GROWTH_DAYS - 1)
    before, active_before, total, active = _people(first)
    joined = _joined_by_day(first)
    return {
        "user_growth": _growth(first, before, active_before, joined),
        "organization_distribution": _largest_organizations(),
        "registration_activity": _registrations(today, joined),
        "user_status": [
            {"name": "Active", "value": active},
            {"name": "Inactive", "value": total - active},
        ],
    }


def _people(first: date) -> tuple[int, int, int, int]:
    """Before that day, and now: all, and those of them active now."""
    earlier = Q(created_at__lt=_midnight(first))
    counts = User.objects.existing().aggregate(
        before=Count("pk", filter=earlier),
        active_before=Count("pk", filter=earlier & ACTIVE),
        total=Count("pk"),
        active=Count("pk", filter=ACTIVE),
    )
    return counts["before"], counts["active_before"], counts["total"], counts["active"]


def _joined_by_day(first: date) -> dict[date, tuple[int, int]]:
    since = User.objects.existing().filter(created_at__gte=_midnight(first))
    by_day = since.annotate(day=TruncDate("created_at")).values("day").order_by("day")
    counted = by_day.annotate(joined=Count("pk"), active=Count("pk", filter=ACTIVE))
    return {row["day"]: (row["joined"], row["active"]) for row in counted}


def _growth(
    first: date, total: int, active: int, joined: Mapping[date, tuple[int, int]]
) -> list[dict[str, Any]]:
    growth = []
    for number in range(GROWTH_DAYS):
        day = first + timedelta(days=number)
        more, more_active = joined.get(day, (0, 0))
        total, active = total + more, active + more_active
        growth.append({"date": _named(day), "total_users": total, "active_users": active})
    return growth


def _registrations(
    today: date, joined: Mapping[date, tuple[int, int]]
) -> list[dict[str, Any]]:
    days = [today - timedelta(days=n) for n in reversed(range(REGISTRATION_DAYS))]
    return [
        {"date": _named(day), "registrations": joined.get(day, (0, 0))[0]} for day in days
    ]


def _largest_organizations() -> list[dict[str, Any]]:
    counted = Organization.objects.with_member_counts()
    # Named apart: the types know no annotation that another module made.
    largest, share = ("-member_count", "name", "pk"), ("name", "member_count")
    shares = counted.order_by(*largest).values_list(*share)[:LARGEST]
    return [{"name": name, "value": value} for name, value in shares]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def _named(day: date) -> str:
    return f"{MONTHS[day.month - 1]} {day.day:02}"


class GrowthSerializer(serializers.Serializer[Any]):
    date = serializers.CharField(help_text="Such as `Nov 23`, in UTC.")
    total_users = serializers.IntegerField()
    active_users = serializers.IntegerField(help_text="Those of them active now.")


class ShareSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    value = serializers.IntegerField()


class RegistrationsSerializer(serializers.Serializer[Any]):
    date = serializers.CharField()
    registrations = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    user_growth = GrowthSerializer(many=True)
    organization_distribution = ShareSerializer(many=True)
    registration_activity = RegistrationsSerializer(many=True)
    user_status = ShareSerializer(many=True)


class StatsView(APIView):
    permission_classes = SUPERUSERS_ONLY
    refusals: ClassVar = {"GET": [errors.PermissionDenied]}

    @extend_schema(
        operation_id="admin_stats", tags=["Administration"], responses=StatsSerializer
    )
    def get(self, request: Request) -> Response:
        """How many people and organizations there are, and how that came about."""
        return Response(figures())
