"""A signed-in caller was told no: that is worth an event (OWASP ASVS 5.0, 16.3.2)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rest_framework.response import Response

from audit import services as audit
from audit.models import Outcome
from config.api import problems


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """config.api renders it; here it is remembered."""
    response = problems.exception_handler(exc, context)
    if response is not None and response.status_code == HTTPStatus.FORBIDDEN:
        request = context["request"]
        if request.user.is_authenticated:
            audit.record(
                "access.denied",
                actor=request.user,
                outcome=Outcome.DENIED,
                method=request.method,
                path=request.path[:255],
                organization_id=getattr(context["view"], "organization_id", None),
                code=response.data["errors"][0]["code"],
            )
    return response
