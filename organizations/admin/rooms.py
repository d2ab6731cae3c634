"""What the rooms for tenants have in common."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest
from django.utils.text import Truncator

from accounts.models import User
from config.admin import Room
from config.errors import DomainError
from organizations.seats import take_seat


class TenantRoom(Room):
    """Acts from the superuser's seat in each organization; the events say so."""

    def act(
        self,
        request: HttpRequest,
        rows: list[tuple[Any, Any]],
        change: Callable[..., Any],
        **arguments: Any,
    ) -> None:
        """For each (organization's id, what `change` takes for the row): done or refused
        by itself, and told.
        """
        refused: Counter[str] = Counter()
        for organization_id, row in rows:
            try:
                seat = take_seat(cast(User, request.user), organization_id)
                change(by=seat, **row, **arguments)
            except DomainError as refusal:
                refused[refusal.message] += 1
        if done := len(rows) - refused.total():
            self.message_user(request, f"{done} changed.", messages.SUCCESS)
        for reason, number in refused.items():
            self.message_user(request, f"{reason} ({number})", messages.ERROR)


def shortened(name: str) -> str:
    """One long name must not push every other column out of sight."""
    return Truncator(name).chars(40)
