"""A signed-in caller was told no: that is worth an event (OWASP ASVS 5.0, 16.3.2)."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from audit import services as audit
from audit.models import Outcome
from config.api import problems
from limits import rates

# Of one person: whoever hammers at a door must not bury what else happened.
RECORDED = ((30, timedelta(minutes=1)), (200, timedelta(hours=1)))


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """config.api renders it; here it is remembered."""
    response = problems.exception_handler(exc, context)
    if response is not None and response.status_code == HTTPStatus.FORBIDDEN:
        _remember(context["request"], context["view"], response)
    return response


def _remember(request: Request, view: Any, response: Response) -> None:
    remember(
        request,
        organization_id=getattr(view, "organization_id", None),
        code=response.data["errors"][0]["code"],
    )


def remember(
    request: Request | HttpRequest, *, code: str, organization_id: UUID | None = None
) -> None:
    """Of who is signed in; the others are told no all the time."""
    user: Any = request.user
    if user.is_authenticated and rates.allows("denials", str(user.pk), RECORDED):
        audit.record(
            "access.denied",
            actor=user,
            outcome=Outcome.DENIED,
            organization_id=organization_id,
            method=request.method,
            path=request.path.replace("\0", "")[:255],
            code=code,
        )
