"""Every organization, for superusers: through their seat in it, as everywhere."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import LastOwner
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.permissions import SUPERUSERS_ONLY
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from organizations import services
from organizations.api.admin_serializers import (
    NewMemberSerializer,
    NewOrganizationSerializer,
    OrganizationEditSerializer,
    OrganizationPageSerializer,
    OrganizationQuery,
)
from organizations.api.members import page_of_members
from organizations.api.permissions import caller, seat_of_superuser
from organizations.api.serializers import (
    MemberPageSerializer,
    MemberQuery,
    OrganizationSerializer,
)
from organizations.errors import (
    AlreadyMember,
    MemberInactive,
    SlugTaken,
    TooManyMembers,
    TooManyOrganizations,
)
from organizations.seats import Seat, all_organizations

TAGS = ["Administration"]
NOT_THERE = [errors.PermissionDenied, errors.NotFound]


class AdminView(APIView):
    permission_classes = SUPERUSERS_ONLY

    def seat_in(self, organization_id: UUID) -> Seat:
        return seat_of_superuser(self.request, organization_id)


class OrganizationListView(AdminView):
    refusals: ClassVar = {
        "GET": [errors.PermissionDenied, errors.ValidationFailed],
        "POST": [errors.PermissionDenied, SlugTaken, TooManyOrganizations],
    }

    @extend_schema(
        operation_id="admin_list_organizations",
        tags=TAGS,
        parameters=[OrganizationQuery],
        responses=OrganizationPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """All organizations."""
        query = OrganizationQuery.read(request)
        rows = all_organizations(caller(request))
        if "is_active" in query:
            rows = rows.filter(is_active=query["is_active"])
        if query.get("search"):
            rows = rows.matching(query["search"])
        ordered = order(rows, by=query["sort_by"], direction=query["sort_order"])
        return Response(page_of(ordered, query, OrganizationSerializer))

    @extend_schema(
        operation_id="admin_create_organization",
        tags=TAGS,
        request=NewOrganizationSerializer,
        responses={201: OrganizationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Found an organization; the caller is its owner until it is transferred."""
        body = NewOrganizationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        organization = services.create_organization(
            by=caller(request), **body.validated_data
        )
        return Response(OrganizationSerializer(organization).data, status=201)


class OrganizationView(AdminView):
    refusals: ClassVar = {
        "GET": NOT_THERE,
        "PUT": [*NOT_THERE, SlugTaken],
        "DELETE": NOT_THERE,
    }

    @extend_schema(
        operation_id="admin_get_organization", tags=TAGS, responses=OrganizationSerializer
    )
    def get(self, request: Request, organization_id: UUID) -> Response:
        """An organization."""
        seat = self.seat_in(organization_id)
        return Response(OrganizationSerializer(seat.organization).data)

    @extend_schema(
        operation_id="admin_update_organization",
        tags=TAGS,
        request=OrganizationEditSerializer,
        responses=OrganizationSerializer,
    )
    def put(self, request: Request, organization_id: UUID) -> Response:
        """Change an organization: what is not named stays."""
        seat = self.seat_in(organization_id)
        body = OrganizationEditSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        organization = services.administer_organization(by=seat, **body.validated_data)
        return Response(OrganizationSerializer(organization).data)

    @extend_schema(
        operation_id="admin_delete_organization",
        tags=TAGS,
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request, organization_id: UUID) -> Response:
        """Delete it with members and invitations, for good."""
        services.delete_organization(by=self.seat_in(organization_id))
        return message("The organization is deleted.")


class MemberListView(AdminView):
    refusals: ClassVar = {
        "GET": [*NOT_THERE, errors.ValidationFailed],
        "POST": [
            *NOT_THERE,
            AlreadyMember,
            MemberInactive,
            TooManyMembers,
            TooManyOrganizations,
        ],
    }

    @extend_schema(
        operation_id="admin_list_members",
        tags=TAGS,
        parameters=[MemberQuery],
        responses=MemberPageSerializer,
    )
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The members of an organization."""
        return Response(page_of_members(self.seat_in(organization_id), request))

    @extend_schema(
        operation_id="admin_add_member",
        tags=TAGS,
        request=NewMemberSerializer,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Make a person a member, without an invitation."""
        seat = self.seat_in(organization_id)
        body = NewMemberSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.add_member(by=seat, **body.validated_data)
        return message("The person is a member.")


class MemberView(AdminView):
    refusals: ClassVar = {"DELETE": [*NOT_THERE, LastOwner]}

    @extend_schema(
        operation_id="admin_remove_member", tags=TAGS, responses={200: MessageSerializer}
    )
    def delete(self, request: Request, organization_id: UUID, user_id: UUID) -> Response:
        """Remove a member."""
        services.remove_member(by=self.seat_in(organization_id), user_id=user_id)
        return message("The member is removed.")
