"""Tenants themselves, and what one may do in them."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import LastOwner
from config import errors
from config.api.messages import message
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from organizations import services
from organizations.api.permissions import OrganizationView, caller
from organizations.api.serializers import (
    CapabilitiesSerializer,
    FoundingSerializer,
    MineQuery,
    OrganizationChangeSerializer,
    OrganizationSerializer,
    SuccessorSerializer,
)
from organizations.errors import (
    AlreadyOwner,
    MemberInactive,
    NotAMember,
    RoleTooLow,
    SlugTaken,
    TooManyOrganizations,
)
from organizations.models import Organization
from organizations.roles import NEEDS, Capability
from organizations.seats import organizations_of

TAGS = ["Organizations"]
NO_SEAT = [NotAMember, errors.NotFound]


class MyOrganizationsView(APIView):
    permission_classes = [IsAuthenticated]
    refusals: ClassVar = {"GET": [errors.ValidationFailed]}

    @extend_schema(
        operation_id="list_my_organizations",
        tags=TAGS,
        parameters=[MineQuery],
        responses=OrganizationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The organizations that the caller belongs to, by name."""
        query = MineQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        rows = organizations_of(caller(request), **query.validated_data)
        return Response(OrganizationSerializer(rows, many=True).data)


class OrganizationListView(APIView):
    permission_classes = [IsAuthenticated]
    limits: ClassVar = {"POST": "create_organization"}
    refusals: ClassVar = {"POST": [SlugTaken, TooManyOrganizations]}

    @extend_schema(
        operation_id="create_organization",
        tags=TAGS,
        request=FoundingSerializer,
        responses={201: OrganizationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Found an organization; the caller becomes its owner."""
        body = FoundingSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        organization = services.create_organization(
            by=caller(request), **body.validated_data
        )
        return Response(OrganizationSerializer(organization).data, status=201)


class OrganizationDetailView(OrganizationView):
    needs = {
        "GET": Capability.VIEW_ORGANIZATION,
        "PUT": Capability.UPDATE_ORGANIZATION,
        "PATCH": Capability.UPDATE_ORGANIZATION,
        "DELETE": Capability.DELETE_ORGANIZATION,
    }
    limits: ClassVar = {
        "PUT": "update_organization",
        "PATCH": "update_organization",
        "DELETE": "delete_organization",
    }
    refusals: ClassVar = {
        "GET": NO_SEAT,
        "PUT": [*NO_SEAT, RoleTooLow, SlugTaken],
        "PATCH": [*NO_SEAT, RoleTooLow, SlugTaken],
        "DELETE": [*NO_SEAT, RoleTooLow],
    }

    @extend_schema(
        operation_id="get_organization", tags=TAGS, responses=OrganizationSerializer
    )
    def get(self, request: Request, organization: str) -> Response:
        """An organization, by id or by slug."""
        return Response(OrganizationSerializer(self.seat.organization).data)

    @extend_schema(
        operation_id="replace_organization",
        tags=TAGS,
        request=OrganizationChangeSerializer,
        responses=OrganizationSerializer,
    )
    def put(self, request: Request, organization: str) -> Response:
        """As PATCH: what is not named stays."""
        return Response(OrganizationSerializer(self.updated(request)).data)

    @extend_schema(
        operation_id="update_organization",
        tags=TAGS,
        request=OrganizationChangeSerializer,
        responses=OrganizationSerializer,
    )
    def patch(self, request: Request, organization: str) -> Response:
        """Change name, slug, description or settings."""
        return Response(OrganizationSerializer(self.updated(request)).data)

    @extend_schema(
        operation_id="delete_organization",
        tags=TAGS,
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request, organization: str) -> Response:
        """Delete it with members and invitations, for good; its slug is free."""
        services.delete_organization(by=self.seat)
        return message("The organization is deleted.")

    def updated(self, request: Request) -> Organization:
        body = OrganizationChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return services.update_organization(by=self.seat, **body.validated_data)


class CapabilitiesView(OrganizationView):
    needs = {"GET": Capability.VIEW_ORGANIZATION}
    refusals: ClassVar = {"GET": NO_SEAT}

    @extend_schema(
        operation_id="get_capabilities", tags=TAGS, responses=CapabilitiesSerializer
    )
    def get(self, request: Request, organization: str) -> Response:
        """What the caller may do here, and which role would suffice for the rest."""
        table = [
            {"name": capability, "allowed": self.seat.can(capability), "needs": role}
            for capability, role in NEEDS.items()
        ]
        return Response(
            {
                "role": self.seat.role,
                "as_superuser": self.seat.as_superuser,
                "capabilities": table,
            }
        )


class LeaveView(OrganizationView):
    needs = {"POST": Capability.LEAVE_ORGANIZATION}
    limits: ClassVar = {"POST": "leave_organization"}
    refusals: ClassVar = {"POST": [*NO_SEAT, LastOwner]}

    @extend_schema(
        operation_id="leave_organization",
        tags=TAGS,
        request=None,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, organization: str) -> Response:
        """Stop being a member."""
        services.leave_organization(by=self.seat)
        return message("You have left the organization.")


class OwnershipView(OrganizationView):
    needs = {"POST": Capability.TRANSFER_OWNERSHIP}
    limits: ClassVar = {"POST": "transfer_ownership"}
    refusals: ClassVar = {"POST": [*NO_SEAT, RoleTooLow, AlreadyOwner, MemberInactive]}

    @extend_schema(
        operation_id="transfer_ownership",
        tags=TAGS,
        request=SuccessorSerializer,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, organization: str) -> Response:
        """Make a member the owner; the caller becomes admin."""
        body = SuccessorSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.transfer_ownership(by=self.seat, **body.validated_data)
        return message("The organization has a new owner.")
