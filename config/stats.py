"""The figures behind the dashboard of the console, and those of GET /admin/stats.

The API's are exact, in four statements, whatever that takes. The dashboard's are told in
time at any size: config/counting.py says how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from audit.models import Event
from config import counting, errors, health
from config.api.permissions import SUPERUSERS_ONLY
from config.api.views import APIView
from config.counting import Number
from organizations.models import Membership, Organization
from outbox.models import Mail, Status
from sessions_app.models import Session

GROWTH_DAYS = 30
REGISTRATION_DAYS = 14
LARGEST = 6
# Where there are too many to compare all: of those that stand out, the first so many.
CANDIDATES = 12
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


# --- The dashboard -----------------------------------------------------------------


@dataclass(frozen=True)
class Dashboard:
    """`days` are the last REGISTRATION_DAYS, and what is told of them in their order."""

    people: Number
    inactive: Number
    sessions: Number
    waiting: Number
    dead: Number
    days: list[str]
    registrations: list[Number]
    sign_ins: list[Number]
    failures: list[Number]
    largest: list[tuple[str, Number]]
    health: dict[str, bool]


def dashboard(now: datetime | None = None) -> Dashboard:
    now = now or timezone.now()
    days = [now.date() - timedelta(days=n) for n in reversed(range(REGISTRATION_DAYS))]
    people, mails = User.objects.existing(), Mail.objects.all()
    everybody = User.objects.get_queryset()
    return Dashboard(
        people=counting.number_of(people),
        inactive=counting.number_of(everybody.filter(is_active=False)),
        sessions=counting.number_of(Session.objects.active(now)),
        waiting=counting.number_of(mails.filter(status=Status.WAITING)),
        dead=counting.number_of(mails.filter(status=Status.DEAD)),
        days=[_named(day) for day in days],
        registrations=_by_day(everybody, days, now, by="created_at"),
        sign_ins=_by_day(_events("session.started"), days, now),
        failures=_by_day(_events("sign_in.failed"), days, now),
        largest=_largest(),
        health=_health(),
    )


def _events(action: str) -> QuerySet[Event]:
    return Event.objects.filter(action=action)


def _by_day(
    rows: QuerySet[Any], days: list[date], now: datetime, by: str = "pk"
) -> list[Number]:
    starts = [_midnight(day) for day in days]
    # A sample of what is still to come would find nothing.
    ends = [*starts[1:], now]
    return [
        counting.number_within(rows, start, end, by)
        for start, end in zip(starts, ends, strict=True)
    ]


def _largest() -> list[tuple[str, Number]]:
    """By active members."""
    members = Membership.objects.active()
    if counting.bounded(members) <= counting.BOUND:
        return [(s["name"], Number(s["value"])) for s in _largest_organizations()]
    common = counting.most_common(Membership, "organization_id")[:CANDIDATES]
    found = [
        (organization.name, counting.number_of(members.filter(organization=organization)))
        for organization in Organization.objects.filter(pk__in=common)
    ]
    return sorted(found, key=lambda share: (-share[1].value, share[0]))[:LARGEST]


def _health() -> dict[str, bool]:
    """The database has answered all of the above."""
    found = {"Database": True}
    return found | ({"Cache": health.cache_answers()} if settings.REDIS_URL else {})


# --- The API -----------------------------------------------------------------------


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
