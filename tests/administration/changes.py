"""Changing a person as a superuser, and what that left in the log."""

from typing import Any

from accounts.models import User
from audit.models import Event
from tests.client import Api


def put(boss: Api, person: User, **body: Any) -> Any:
    return boss.put(f"/admin/users/{person.pk}", body)


def changed(boss: Api, person: User, **body: Any) -> dict[str, Any]:
    answer = put(boss, person, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def actions() -> list[str]:
    """What happened beyond signing in."""
    events = Event.objects.exclude(action="session.started").order_by("pk")
    return list(events.values_list("action", flat=True))
