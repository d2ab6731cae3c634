"""Inviting to an organization, and answering an invitation."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import EmailNotVerified, InvitationForAnother, InvitationInvalid
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from organizations import services
from organizations.api.permissions import OrganizationView, caller
from organizations.api.serializers import (
    AnswerSerializer,
    InvitationPageSerializer,
    InvitationQuery,
    InvitationRequestSerializer,
    InvitationSerializer,
    JoinedSerializer,
    MyInvitationSerializer,
    PreviewSerializer,
    TokenOfInvitationSerializer,
)
from organizations.errors import (
    AlreadyMember,
    InvitationClosed,
    NotAMember,
    OrganizationInactive,
    RoleTooHigh,
    RoleTooLow,
    TooManyInvitations,
    TooManyMembers,
    TooManyOrganizations,
)
from organizations.roles import Capability
from organizations.seats import invitations_of

TAGS = ["Invitations"]
NO_SEAT = [NotAMember, errors.NotFound, RoleTooLow]
INVITING = [RoleTooHigh, OrganizationInactive, AlreadyMember, TooManyInvitations]
NOT_YOURS = [InvitationInvalid, InvitationForAnother, EmailNotVerified]


class InvitationListView(OrganizationView):
    needs = {
        "GET": Capability.MANAGE_INVITATIONS,
        "POST": Capability.MANAGE_INVITATIONS,
    }
    limits: ClassVar = {"POST": "invite"}
    refusals: ClassVar = {
        "GET": [*NO_SEAT, errors.ValidationFailed],
        "POST": [*NO_SEAT, *INVITING],
    }

    @extend_schema(
        operation_id="list_invitations",
        tags=TAGS,
        parameters=[InvitationQuery],
        responses=InvitationPageSerializer,
    )
    def get(self, request: Request, organization: str) -> Response:
        """The invitations to an organization: those still open unless told otherwise."""
        query = InvitationQuery.read(request)
        invitations = self.seat.organization.invitations.with_inviters()
        rows = order(
            invitations.with_status(query["status"]),
            by=query["sort_by"],
            direction=query["sort_order"],
        )
        return Response(page_of(rows, query, InvitationSerializer))

    @extend_schema(
        operation_id="invite",
        tags=TAGS,
        request=InvitationRequestSerializer,
        responses={201: InvitationSerializer},
    )
    def post(self, request: Request, organization: str) -> Response:
        """Mail an invitation. Inviting an address again renews it: the link before is
        worth nothing.
        """
        body = InvitationRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        invitation = services.invite_member(by=self.seat, **body.validated_data)
        return Response(InvitationSerializer(invitation).data, status=201)


class InvitationView(OrganizationView):
    needs = {"DELETE": Capability.MANAGE_INVITATIONS}
    limits: ClassVar = {"DELETE": "revoke_invitation"}
    refusals: ClassVar = {"DELETE": [*NO_SEAT, RoleTooHigh, InvitationClosed]}

    @extend_schema(
        operation_id="revoke_invitation", tags=TAGS, responses={200: MessageSerializer}
    )
    def delete(
        self, request: Request, organization: str, invitation_id: UUID
    ) -> Response:
        """Take an invitation back."""
        services.revoke_invitation(by=self.seat, invitation_id=invitation_id)
        return message("The invitation is revoked.")


class InvitationResendView(OrganizationView):
    needs = {"POST": Capability.MANAGE_INVITATIONS}
    limits: ClassVar = {"POST": "resend_invitation"}
    refusals: ClassVar = {"POST": [*NO_SEAT, *INVITING, InvitationClosed]}

    @extend_schema(
        operation_id="resend_invitation",
        tags=TAGS,
        request=None,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, organization: str, invitation_id: UUID) -> Response:
        """Mail it again, with a new link and all its time. An expired one comes back."""
        services.resend_invitation(by=self.seat, invitation_id=invitation_id)
        return message("The invitation is on its way again.")


class MyInvitationsView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="list_my_invitations",
        tags=TAGS,
        responses=MyInvitationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The caller's open invitations, once the address is verified."""
        rows = invitations_of(caller(request))
        return Response(MyInvitationSerializer(rows, many=True).data)


class InvitationPreviewView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    limits: ClassVar = {"POST": "preview_invitation"}
    refusals: ClassVar = {"POST": [InvitationInvalid]}

    @extend_schema(
        operation_id="preview_invitation",
        tags=TAGS,
        request=TokenOfInvitationSerializer,
        responses=PreviewSerializer,
    )
    def post(self, request: Request) -> Response:
        """What an invitation is about; spends nothing."""
        body = TokenOfInvitationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        invitation = services.preview_invitation(**body.validated_data)
        return Response(PreviewSerializer(invitation).data)


class InvitationAcceptView(APIView):
    permission_classes = [IsAuthenticated]
    limits: ClassVar = {"POST": "answer_invitation"}
    refusals: ClassVar = {
        "POST": [*NOT_YOURS, AlreadyMember, TooManyMembers, TooManyOrganizations]
    }

    @extend_schema(
        operation_id="accept_invitation",
        tags=TAGS,
        request=AnswerSerializer,
        responses=JoinedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Become a member. Only the invited, verified address can."""
        body = AnswerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        membership = services.accept_invitation(
            user=caller(request), **body.validated_data
        )
        return Response(JoinedSerializer(membership).data)


class InvitationDeclineView(APIView):
    permission_classes = [IsAuthenticated]
    limits: ClassVar = {"POST": "answer_invitation"}
    refusals: ClassVar = {"POST": NOT_YOURS}

    @extend_schema(
        operation_id="decline_invitation",
        tags=TAGS,
        request=AnswerSerializer,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Say no to an invitation."""
        body = AnswerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.decline_invitation(user=caller(request), **body.validated_data)
        return message("The invitation is declined.")
