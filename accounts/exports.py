"""What is held about a person, section by section.

An app adds its own in `AppConfig.ready()`: a function that takes the person and returns
what JSON can hold; times and ids may stay as they are.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from accounts.models import User
from audit.models import Event
from outbox.models import Mail

Section = Callable[[User], Any]

sections: dict[str, Section] = {}

ACCOUNT = (
    "id",
    "email",
    "email_verified",
    "first_name",
    "last_name",
    "phone_number",
    "locale",
    "preferences",
    "is_active",
    "is_staff",
    "is_superuser",
    "created_at",
    "updated_at",
    "last_login",
    "leaving_since",
)
WHEREABOUTS = ("address", "agent", "session_id")
SESSION = (
    "id",
    "device_name",
    "device_id",
    "user_agent",
    "ip_address",
    "first_ip_address",
    "location_city",
    "location_country",
    "created_at",
    "last_used_at",
    "expires_at",
    "ended_at",
    "end_reason",
)
EVENT = ("id", "at", "action", "outcome", "data", "actor_id", *WHEREABOUTS)
MAIL = ("id", "kind", "recipient", "status", "created_at", "ended_at")


def account(user: User) -> dict[str, Any]:
    return dict(User.objects.filter(pk=user.pk).values(*ACCOUNT).get())


def sessions(user: User) -> list[dict[str, Any]]:
    return list(user.sessions.order_by("id").values(*SESSION))


def events(user: User) -> list[dict[str, Any]]:
    """What the person did, and what happened to the account: not who else did it. A
    failed sign-in is nobody's, and most likely the person's own.
    """
    rows = [dict(row) for row in Event.objects.about(user.pk).values(*EVENT)]
    for row in rows:
        if row.pop("actor_id") not in {user.pk, None}:
            row |= dict.fromkeys(WHEREABOUTS)
    return sorted(rows, key=itemgetter("id"))


def mails(user: User) -> list[dict[str, Any]]:
    """Without those that a change of address asked for: where there is none, the address
    is another account's, and that is not told.
    """
    own = Mail.objects.of(user.pk).exclude(kind="accounts.confirm_address")
    return list(own.order_by("id").values(*MAIL))


def collect(user: User) -> dict[str, Any]:
    return {name: section(user) for name, section in sections.items()}


def own_sections() -> dict[str, Section]:
    return {"account": account, "sessions": sessions, "events": events, "mails": mails}
