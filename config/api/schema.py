"""The OpenAPI document: every operation with the errors that it can answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from config import errors
from config.api.problems import CONTENT_TYPE, document
from config.api.serializers import ProblemSerializer
from config.errors import DomainError


class ContractSchema(AutoSchema):
    """Adds the problems that follow from what the view declares.

    A view names its own refusals in `refusals`: {"POST": [InvalidCredentials]}.
    """

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, reasons in sorted(self._problems().items()):
            bodies[str(status)] = self._problem_response(status, reasons)
        return bodies

    def _problems(self) -> dict[int, list[type[DomainError]]]:
        wanted: list[type[DomainError]] = [
            errors.MalformedRequest,
            errors.InternalError,
            errors.Unavailable,
        ]
        if self.method in {"POST", "PUT", "PATCH"}:
            wanted += [errors.BodyTooLarge, errors.UnsupportedMediaType]
            wanted += [errors.ValidationFailed]
        if not any(isinstance(p, AllowAny) for p in self.view.get_permissions()):
            wanted += [errors.NotAuthenticated]
        if self.method in getattr(self.view, "limits", {}):
            wanted += [errors.TooManyRequests]
        wanted += getattr(self.view, "refusals", {}).get(self.method, [])
        grouped: dict[int, list[type[DomainError]]] = {}
        for reason in wanted:
            grouped.setdefault(reason.status, []).append(reason)
        return grouped

    def _problem_response(
        self, status: int, reasons: list[type[DomainError]]
    ) -> dict[str, Any]:
        component = self.resolve_serializer(ProblemSerializer, "response")
        response: dict[str, Any] = {
            "description": " ".join(dict.fromkeys(reason.message for reason in reasons)),
            "content": {
                CONTENT_TYPE: {
                    "schema": component.ref,
                    "examples": {r.code: {"value": document(r())} for r in reasons},
                }
            },
        }
        if status == 401:
            response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if status in {429, 503}:
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
        return response


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registry hook is untyped
    """Bearer for every client, the OAuth 2 password form for the Authorize button."""

    target_class = "sessions_app.authentication.SessionTokenAuthentication"
    name = ["accessToken", "passwordForm"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            {
                "type": "oauth2",
                "flows": {
                    "password": {"tokenUrl": "/api/v1/auth/login/oauth", "scopes": {}}
                },
            },
        ]
