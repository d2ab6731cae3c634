"""The pair of tokens that signing in and rotating answer with."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from sessions_app import tokens
from sessions_app.models import Session


@dataclass(frozen=True, slots=True)
class Tokens:
    """`expires_in`: seconds of the access token. The user is the one signed in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    user: Any
    session_id: UUID
    token_type: str = "bearer"  # noqa: S105  # RFC 6749 §7.1, not a secret


def make_pair(
    session: Session,
    jti: str,
    now: datetime,
    expires: datetime,
    key: tokens.Key,
    issued: datetime | None = None,
) -> Tokens:
    names = {"user_id": session.user_id, "session_id": session.pk}
    return Tokens(
        access_token=tokens.access_token(**names, jti=secrets.token_urlsafe(16), now=now),
        refresh_token=tokens.refresh_token(
            **names, jti=jti, issued=issued or now, expires=expires, key=key
        ),
        expires_in=int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
        user=session.user,
        session_id=session.pk,
    )
