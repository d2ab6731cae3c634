"""The members of an organization."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import LastOwner
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.serializers import MessageSerializer
from organizations import services
from organizations.api.permissions import OrganizationView
from organizations.api.serializers import (
    MEMBER_ORDERS,
    MemberChangeSerializer,
    MemberPageSerializer,
    MemberQuery,
    MemberSerializer,
)
from organizations.errors import NotAMember, RoleTooHigh, RoleTooLow
from organizations.roles import Capability
from organizations.seats import Seat

TAGS = ["Organizations"]
TOUCHING = [NotAMember, RoleTooLow, RoleTooHigh, errors.NotFound, LastOwner]


def page_of_members(seat: Seat, request: Request) -> dict[str, Any]:
    query = MemberQuery.read(request)
    members = seat.organization.memberships.listed()
    members = members.filter(is_active=query["is_active"])
    if "role" in query:
        members = members.filter(role=query["role"])
    if query.get("search"):
        members = members.matching(query["search"])
    by = MEMBER_ORDERS[query["sort_by"]]
    rows = order(members, by=by, direction=query["sort_order"])
    return page_of(rows, query, MemberSerializer)


class MemberListView(OrganizationView):
    needs = {"GET": Capability.VIEW_MEMBERS}
    refusals: ClassVar = {"GET": [NotAMember, errors.NotFound, errors.ValidationFailed]}

    @extend_schema(
        operation_id="list_members",
        tags=TAGS,
        parameters=[MemberQuery],
        responses=MemberPageSerializer,
    )
    def get(self, request: Request, organization: str) -> Response:
        """The members, in the order in which they joined unless told otherwise."""
        return Response(page_of_members(self.seat, request))


class MemberView(OrganizationView):
    needs = {"PATCH": Capability.MANAGE_MEMBERS, "DELETE": Capability.MANAGE_MEMBERS}
    limits: ClassVar = {"PATCH": "update_member", "DELETE": "remove_member"}
    refusals: ClassVar = {"PATCH": TOUCHING, "DELETE": TOUCHING}

    @extend_schema(
        operation_id="update_member",
        tags=TAGS,
        request=MemberChangeSerializer,
        responses=MemberSerializer,
    )
    def patch(self, request: Request, organization: str, user_id: UUID) -> Response:
        """Change a member's role, or shut the member out for a while. Admins can touch
        neither owners nor make one.
        """
        body = MemberChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        membership = services.update_member(
            by=self.seat, user_id=user_id, **body.validated_data
        )
        return Response(MemberSerializer(membership).data)

    @extend_schema(
        operation_id="remove_member", tags=TAGS, responses={200: MessageSerializer}
    )
    def delete(self, request: Request, organization: str, user_id: UUID) -> Response:
        """Remove a member."""
        services.remove_member(by=self.seat, user_id=user_id)
        return message("The member is removed.")
