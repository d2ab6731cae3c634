"""The way into an organization: every call below /organizations/<id> takes a seat."""

from functools import cached_property
from typing import Any, ClassVar, cast
from uuid import UUID

from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request

from accounts.models import User
from config.api.methods import answered_as
from config.api.views import APIView
from organizations.roles import Capability
from organizations.seats import Seat, take_seat


def caller(request: Request) -> User:
    return cast(User, request.user)


def seat_of_superuser(request: Request, organization_id: UUID) -> Seat:
    """For calls that only superusers reach. Raises NotFound."""
    return take_seat(caller(request), organization_id)


class SeatAllows(BasePermission):
    """The capability that the view names for this method in `needs`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        seat: Seat = view.seat
        needed = view.needs.get(answered_as(request))
        # Where there is none, the method is not answered at all.
        if needed is not None:
            seat.require(needed)
        return True


class OrganizationView(APIView):
    """Seen from the caller's seat in it, and from nowhere else."""

    permission_classes = [IsAuthenticated, SeatAllows]
    needs: ClassVar[dict[str, Capability]]

    @cached_property
    def seat(self) -> Seat:
        return take_seat(caller(self.request), self.kwargs["organization"])

    @property
    def organization_id(self) -> UUID | None:
        """Whose event a refusal is: nobody's, where the caller has no seat."""
        seat: Seat | None = vars(self).get("seat")
        return seat.organization.pk if seat else None
