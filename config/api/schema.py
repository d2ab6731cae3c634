"""The OpenAPI document: every operation with the errors that it can answer."""

from http import HTTPStatus
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from config import errors
from config.api.problems import CONTENT_TYPE, RETRY_LATER, document
from config.api.serializers import ProblemSerializer
from config.errors import DomainError

EXAMPLE_REQUEST_ID = "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60"


class ContractSchema(AutoSchema):
    """Adds the problems that follow from what the view declares.

    A view names its own refusals in `refusals`: {"POST": [InvalidCredentials]}. One that
    reads a body elsewhere too says so: `bodies = {"DELETE"}`.
    """

    def _get_request_body(
        self, direction: Literal["request", "response"] = "request"
    ) -> dict[str, Any] | None:
        """The library sees a body in POST, PUT and PATCH alone (RFC 9110 §9.3.5 leaves
        it to the server).
        """
        method = self.method
        self.method = "POST" if self._has_body() else method
        try:
            body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]  # the library's is untyped
        finally:
            self.method = method
        return body

    def _has_body(self) -> bool:
        return self.method in {"POST", "PUT", "PATCH"} | getattr(
            self.view, "bodies", set()
        )

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
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
        if self._has_body():
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
                    "examples": {r.code: {"value": _example(r)} for r in reasons},
                }
            },
        }
        if status == HTTPStatus.UNAUTHORIZED:
            response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if status in RETRY_LATER:
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
        return response


def _example(reason: type[DomainError]) -> dict[str, Any]:
    return document(reason()) | {"instance": f"urn:uuid:{EXAMPLE_REQUEST_ID}"}


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registry hook is untyped
    """Bearer for every client, the OAuth 2 password form for the Authorize button."""

    target_class = "sessions_app.authentication.SessionTokenAuthentication"
    name = ["accessToken", "passwordForm"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Either of them will do."""
        return [{name: []} for name in self.name]

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
