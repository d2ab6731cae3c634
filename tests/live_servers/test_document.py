"""The OpenAPI document and the service agree, whatever is sent (checks 147)."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import servers
from tests.live_servers.calls import Person, ask, register, sign_in
from tests.live_servers.conftest import Service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = servers.ROOT / "docs" / "openapi.json"
contract = schemathesis.openapi.from_path(DOCUMENT)

# The same requests each time: a failure is one that everybody sees.
fuzz = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def superuser(both: Service) -> Person:
    person = register(both.a)
    both.make_superuser(person)
    return person


def test_the_served_document_is_the_committed_one(service: Service) -> None:
    served = httpx.get(f"{service.a}/api/v1/openapi.json")
    assert served.text == DOCUMENT.read_text()


@contract.parametrize()
@fuzz
def test_anonymous_calls_are_answered_as_the_document_says(
    case: Any, both: Service
) -> None:
    case.call_and_validate(base_url=both.a, checks=CHECKS)


@contract.parametrize()
@fuzz
def test_calls_of_a_superuser_are_answered_as_the_document_says(
    case: Any, both: Service, superuser: Person
) -> None:
    # A session of its own for each call, since some of them end it.
    bearer = {"Authorization": f"Bearer {sign_in(both.a, superuser).access}"}
    case.call_and_validate(base_url=both.a, headers=bearer, checks=CHECKS)


def tenant(base: str) -> dict[str, str]:
    """Somebody's new organization with an open invitation."""
    token = sign_in(base, register(base)).access
    body = {"name": "Acme"}
    organization = ask(base, "POST", "/organizations", body, token=token).json["id"]
    invited = {"email": f"{uuid4()}@example.com", "role": "member"}
    path = f"/organizations/{organization}/invitations"
    invitation = ask(base, "POST", path, invited, token=token).json["id"]
    return {
        "organization": organization,
        "organization_id": organization,
        "invitation_id": invitation,
    }


@contract.include(path_regex=r"\{").parametrize()
@fuzz
def test_calls_on_what_exists_are_answered_as_the_document_says(
    case: Any, both: Service, superuser: Person
) -> None:
    token = sign_in(both.a, superuser).access
    sessions = ask(both.a, "GET", "/sessions/me", token=token).json["sessions"]
    [own] = [session["id"] for session in sessions if session["is_current"]]
    known = {"user_id": register(both.a).id, "session_id": own, **tenant(both.a)}
    case.path_parameters = {name: known[name] for name in case.path_parameters}
    bearer = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(base_url=both.a, headers=bearer, checks=CHECKS)
