"""The devices that a person is signed in on, and signing them out."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config import errors
from config.api.messages import message
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from sessions_app import services
from sessions_app.api.serializers import (
    LogoutSerializer,
    RenameSerializer,
    SessionListSerializer,
    SessionSerializer,
)
from sessions_app.errors import ForeignSession, TokenInvalid
from sessions_app.lookup import list_sessions
from sessions_app.models import EndReason, Session


def current_session(request: Request) -> Session:
    return cast(Session, request.auth)


def caller(request: Request) -> Any:
    """The signed-in user, of whatever model that is."""
    return request.user


class LogoutView(APIView):
    limits: ClassVar = {"POST": "logout"}
    refusals: ClassVar = {"POST": [TokenInvalid, ForeignSession]}

    @extend_schema(
        operation_id="logout",
        tags=["Authentication"],
        request=LogoutSerializer,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """End a session: that of the refresh token, else that of the access token."""
        body = LogoutSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.log_out(session=current_session(request), **body.validated_data)
        return message("You are logged out.")


class LogoutAllView(APIView):
    limits: ClassVar = {"POST": "logout_all"}

    @extend_schema(
        operation_id="logout_all",
        tags=["Authentication"],
        request=None,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """End every session of the caller, this one included."""
        number = services.end_all_of(
            [caller(request).pk], reason=EndReason.LOGOUT_ALL, by=request.user
        )
        return message(f"{number} sessions ended.")


class MySessionsView(APIView):
    limits: ClassVar = {"GET": "sessions"}

    @extend_schema(
        operation_id="list_my_sessions",
        tags=["Sessions"],
        responses=SessionListSerializer,
    )
    def get(self, request: Request) -> Response:
        """The caller's active sessions, newest use first."""
        rows = list_sessions(
            user_id=caller(request).pk,
            current=current_session(request).pk,
            now=timezone.now(),
        )
        return Response({"sessions": SessionSerializer.shown(rows), "total": len(rows)})


class PastSessionsView(APIView):
    limits: ClassVar = {"DELETE": "remove_sessions"}

    @extend_schema(
        operation_id="remove_my_expired_sessions",
        tags=["Sessions"],
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request) -> Response:
        """Remove the caller's sessions that are no longer active."""
        number = services.remove_past_sessions(user=request.user)
        return message(f"{number} expired sessions removed.")


class OtherSessionsView(APIView):
    limits: ClassVar = {"DELETE": "end_sessions"}

    @extend_schema(
        operation_id="end_my_other_sessions",
        tags=["Sessions"],
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request) -> Response:
        """End every session of the caller but this one."""
        number = services.end_all_of(
            [caller(request).pk],
            reason=EndReason.REVOKED,
            by=request.user,
            keep=current_session(request).pk,
        )
        return message(f"{number} other sessions ended.")


class SessionView(APIView):
    limits: ClassVar = {"PATCH": "rename_session", "DELETE": "end_session"}
    refusals: ClassVar = {
        "PATCH": [ForeignSession, errors.NotFound],
        "DELETE": [ForeignSession, errors.NotFound],
    }

    def own(self, session_id: UUID) -> Session:
        """Unknown is 404, somebody else's 403: ids are too large to be guessed."""
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise Http404
        if session.user_id != caller(self.request).pk:
            raise ForeignSession
        return session

    @extend_schema(
        operation_id="rename_session",
        tags=["Sessions"],
        request=RenameSerializer,
        responses=SessionSerializer,
    )
    def patch(self, request: Request, session_id: UUID) -> Response:
        """Give a device a name of one's own."""
        body = RenameSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        session = self.own(session_id)
        services.rename_session(session=session, by=request.user, **body.validated_data)
        session.is_current = session.pk == current_session(request).pk
        return Response(SessionSerializer(session).data)

    @extend_schema(
        operation_id="end_session", tags=["Sessions"], responses={200: MessageSerializer}
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        """Sign a device out, at once. Once more is no fault."""
        services.end_session(
            session=self.own(session_id), by=request.user, reason=EndReason.REVOKED
        )
        return message("The session has ended.")
