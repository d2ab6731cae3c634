"""Every call is authenticated by one indexed statement: session joined to user."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from config import context
from sessions_app import tokens
from sessions_app.errors import SessionEnded, TokenInvalid
from sessions_app.lookup import find_session
from sessions_app.models import Session


class SessionTokenAuthentication(BaseAuthentication):
    """Bearer (RFC 6750), from the header only. `request.auth` is the session.

    The row is asked each time, so logout, deactivation and a changed right act on the
    next call, in every process.
    """

    def authenticate(self, request: Request) -> tuple[Any, Session] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise TokenInvalid
        claims = tokens.read(token.strip(" "), tokens.ACCESS)
        session = find_session(session_id=claims.session_id, user_id=claims.user_id)
        if session is None or not session.lets_in(timezone.now()):
            raise SessionEnded
        session.touch()
        context.remember_session(session.pk)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
