"""People and their sessions, for superusers."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, Value
from django.db.models.functions import Concat, Trim
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.api.admin_serializers import (
    AdminSessionPageSerializer,
    AdminSessionQuery,
    AdminSessionSerializer,
    BulkActionSerializer,
    BulkOutcomeSerializer,
    NewUserSerializer,
    UserChangeSerializer,
)
from accounts.api.serializers import UserListQuery, UserPageSerializer, UserSerializer
from accounts.api.views import caller, page_of_people
from accounts.errors import AddressTaken, LastOwner, LastSuperuser, OwnAccount
from accounts.models import User
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.permissions import SUPERUSERS_ONLY
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from config.errors import DomainError
from sessions_app.models import EndReason, Session
from sessions_app.services import end_session

TAGS = ["Administration"]
GOING = [errors.PermissionDenied, OwnAccount, LastSuperuser, LastOwner, errors.NotFound]


class AdminView(APIView):
    permission_classes = SUPERUSERS_ONLY

    def person(self, user_id: UUID) -> User:
        return get_object_or_404(User.objects.existing(), pk=user_id)


class UserListView(AdminView):
    refusals: ClassVar = {
        "GET": [errors.PermissionDenied, errors.ValidationFailed],
        "POST": [errors.PermissionDenied, AddressTaken],
    }

    @extend_schema(
        operation_id="admin_list_users",
        tags=TAGS,
        parameters=[UserListQuery],
        responses=UserPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everybody but the deleted."""
        return Response(page_of_people(request))

    @extend_schema(
        operation_id="admin_create_user",
        tags=TAGS,
        request=NewUserSerializer,
        responses={201: UserSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an account."""
        body = NewUserSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = services.create_user(by=caller(request), **body.validated_data)
        return Response(UserSerializer(user).data, status=201)


class UserView(AdminView):
    refusals: ClassVar = {
        "GET": [errors.PermissionDenied, errors.NotFound],
        "PUT": [*GOING, AddressTaken],
        "DELETE": GOING,
    }

    @extend_schema(operation_id="admin_get_user", tags=TAGS, responses=UserSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """A person."""
        return Response(UserSerializer(self.person(user_id)).data)

    @extend_schema(
        operation_id="admin_update_user",
        tags=TAGS,
        request=UserChangeSerializer,
        responses=UserSerializer,
    )
    def put(self, request: Request, user_id: UUID) -> Response:
        """Change a person: what is not named stays. A new address is unverified."""
        user = self.person(user_id)
        body = UserChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.edit_user(user=user, by=caller(request), **body.validated_data)
        return Response(UserSerializer(user).data)

    @extend_schema(
        operation_id="admin_delete_user", tags=TAGS, responses={200: MessageSerializer}
    )
    def delete(self, request: Request, user_id: UUID) -> Response:
        """Delete a person, softly."""
        services.delete_user(user_id=user_id, by=caller(request))
        return message("The user is deleted.")


class ActivationView(AdminView):
    refusals: ClassVar = {"POST": GOING}

    @extend_schema(
        operation_id="admin_activate_user",
        tags=TAGS,
        request=None,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        """Let a person in again."""
        user = self.person(user_id)
        services.set_activity(user=user, active=True, by=caller(request))
        return message("The user is active.")


class DeactivationView(AdminView):
    refusals: ClassVar = {"POST": GOING}

    @extend_schema(
        operation_id="admin_deactivate_user",
        tags=TAGS,
        request=None,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request, user_id: UUID) -> Response:
        """Shut a person out; every session ends."""
        user = self.person(user_id)
        services.set_activity(user=user, active=False, by=caller(request))
        return message("The user is inactive.")


class BulkActionView(AdminView):
    refusals: ClassVar = {"POST": [errors.PermissionDenied]}

    @extend_schema(
        operation_id="admin_bulk_action",
        tags=TAGS,
        request=BulkActionSerializer,
        responses=BulkOutcomeSerializer,
    )
    def post(self, request: Request) -> Response:
        """Do the same to up to a hundred people. Who cannot go is named, and the rest is
        done.
        """
        body = BulkActionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        action, ids = body.validated_data["action"], set(body.validated_data["user_ids"])
        refused = services.change_in_bulk(action=action, user_ids=ids, by=caller(request))
        return Response(_outcome(action, ids, refused))


def _outcome(
    action: str, ids: set[UUID], refused: dict[UUID, DomainError]
) -> dict[str, Any]:
    done = len(ids) - len(refused)
    return {
        "success": True,
        "affected_count": done,
        "failed_count": len(refused),
        "message": f"{action.capitalize()}: {done} done, {len(refused)} refused.",
        "failed_ids": sorted(refused),
    }


class SessionListView(AdminView):
    refusals: ClassVar = {"GET": [errors.PermissionDenied, errors.ValidationFailed]}

    @extend_schema(
        operation_id="admin_list_sessions",
        tags=TAGS,
        parameters=[AdminSessionQuery],
        responses=AdminSessionPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everybody's sessions, newest first; active ones unless told otherwise."""
        query = AdminSessionQuery.read(request)
        now = timezone.now()
        sessions = Session.objects.all()
        sessions = sessions.active(now) if query["is_active"] else sessions.past(now)
        if "user_id" in query:
            sessions = sessions.filter(user_id=query["user_id"])
        named = sessions.annotate(
            full_name=Trim(Concat("user__first_name", Value(" "), "user__last_name")),
            active_now=ExpressionWrapper(
                Q(ended_at=None, expires_at__gt=now), output_field=BooleanField()
            ),
        )
        rows = order(named, by=query["sort_by"], direction=query["sort_order"])
        return Response(page_of(rows, query, AdminSessionSerializer))


class SessionView(AdminView):
    refusals: ClassVar = {"DELETE": [errors.PermissionDenied, errors.NotFound]}

    @extend_schema(
        operation_id="admin_end_session",
        tags=TAGS,
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        """Sign anybody's device out. Once more is no fault."""
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise Http404
        end_session(session=session, by=caller(request), reason=EndReason.REVOKED)
        return message("The session has ended.")
