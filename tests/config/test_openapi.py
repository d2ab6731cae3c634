"""The OpenAPI document: complete, valid, stable, and honest about refusals."""

import json
import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema
from pytest_django.fixtures import Settings
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from accounts.models import User
from config import errors
from config.pages import openapi_document
from tests import servers
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

METHODS = {"get", "post", "put", "patch", "delete"}
PUBLIC = {
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/login/oauth",
    "/api/v1/auth/refresh",
    "/api/v1/auth/password-reset/request",
    "/api/v1/auth/password-reset/confirm",
    "/api/v1/auth/email/verify",
    "/api/v1/auth/email/resend",
    "/api/v1/auth/email/confirm",
    "/api/v1/auth/email/restore",
    "/api/v1/auth/disown",
    "/api/v1/auth/stay",
    "/api/v1/invitations/preview",
}
ONE = "/api/v1/organizations/{organization}"
ADMIN_ONE = "/api/v1/admin/organizations/{organization_id}"
# Clients are generated from these names: they stay.
OPERATIONS = {
    "accept_invitation": "post /api/v1/invitations/accept",
    "admin_activate_user": "post /api/v1/admin/users/{user_id}/activate",
    "admin_add_member": f"post {ADMIN_ONE}/members",
    "admin_bulk_action": "post /api/v1/admin/users/bulk-action",
    "admin_create_organization": "post /api/v1/admin/organizations",
    "admin_create_user": "post /api/v1/admin/users",
    "admin_deactivate_user": "post /api/v1/admin/users/{user_id}/deactivate",
    "admin_delete_organization": f"delete {ADMIN_ONE}",
    "admin_delete_user": "delete /api/v1/admin/users/{user_id}",
    "admin_end_session": "delete /api/v1/admin/sessions/{session_id}",
    "admin_get_organization": f"get {ADMIN_ONE}",
    "admin_get_user": "get /api/v1/admin/users/{user_id}",
    "admin_list_events": "get /api/v1/admin/events",
    "admin_list_members": f"get {ADMIN_ONE}/members",
    "admin_list_organizations": "get /api/v1/admin/organizations",
    "admin_list_sessions": "get /api/v1/admin/sessions",
    "admin_list_users": "get /api/v1/admin/users",
    "admin_remove_member": f"delete {ADMIN_ONE}/members/{{user_id}}",
    "admin_stats": "get /api/v1/admin/stats",
    "admin_update_organization": f"put {ADMIN_ONE}",
    "admin_update_user": "put /api/v1/admin/users/{user_id}",
    "change_my_email": "post /api/v1/users/me/email",
    "change_my_password": "patch /api/v1/users/me/password",
    "confirm_email_change": "post /api/v1/auth/email/confirm",
    "confirm_password_reset": "post /api/v1/auth/password-reset/confirm",
    "create_organization": "post /api/v1/organizations",
    "decline_invitation": "post /api/v1/invitations/decline",
    "delete_organization": f"delete {ONE}",
    "delete_user": "delete /api/v1/users/{user_id}",
    "disown": "post /api/v1/auth/disown",
    "end_my_other_sessions": "delete /api/v1/sessions/me/others",
    "end_session": "delete /api/v1/sessions/{session_id}",
    "export_me": "get /api/v1/users/me/export",
    "get_capabilities": f"get {ONE}/capabilities",
    "get_me": "get /api/v1/users/me",
    "get_organization": f"get {ONE}",
    "get_user": "get /api/v1/users/{user_id}",
    "invite": f"post {ONE}/invitations",
    "leave": "delete /api/v1/users/me",
    "leave_organization": f"post {ONE}/leave",
    "list_invitations": f"get {ONE}/invitations",
    "list_members": f"get {ONE}/members",
    "list_my_invitations": "get /api/v1/invitations/me",
    "list_my_organizations": "get /api/v1/organizations/me",
    "list_my_sessions": "get /api/v1/sessions/me",
    "list_organization_events": f"get {ONE}/events",
    "list_users": "get /api/v1/users",
    "login": "post /api/v1/auth/login",
    "login_oauth": "post /api/v1/auth/login/oauth",
    "logout": "post /api/v1/auth/logout",
    "logout_all": "post /api/v1/auth/logout-all",
    "preview_invitation": "post /api/v1/invitations/preview",
    "refresh": "post /api/v1/auth/refresh",
    "register": "post /api/v1/auth/register",
    "remove_member": f"delete {ONE}/members/{{user_id}}",
    "remove_my_expired_sessions": "delete /api/v1/sessions/me/expired",
    "rename_session": "patch /api/v1/sessions/{session_id}",
    "replace_organization": f"put {ONE}",
    "request_password_reset": "post /api/v1/auth/password-reset/request",
    "resend_invitation": f"post {ONE}/invitations/{{invitation_id}}/resend",
    "resend_verification": "post /api/v1/auth/email/resend",
    "restore_email": "post /api/v1/auth/email/restore",
    "revoke_invitation": f"delete {ONE}/invitations/{{invitation_id}}",
    "stay": "post /api/v1/auth/stay",
    "transfer_ownership": f"post {ONE}/transfer-ownership",
    "update_me": "patch /api/v1/users/me",
    "update_member": f"patch {ONE}/members/{{user_id}}",
    "update_organization": f"patch {ONE}",
    "update_user": "patch /api/v1/users/{user_id}",
    "verify_email": "post /api/v1/auth/email/verify",
}


@cache
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(openapi_document())
    return made


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, found in document()["paths"].items():
        for method in METHODS & found.keys():
            yield method, path, found[method]


def routes() -> Iterator[tuple[str, type[APIView]]]:
    """Every address of the API with its view, as the router has them."""

    def below(prefix: str, entry: URLPattern | URLResolver) -> Iterator[tuple[str, Any]]:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            for inner in entry.url_patterns:
                yield from below(path, inner)
        else:
            yield path, getattr(entry.callback, "cls", None)

    for entry in get_resolver().url_patterns:
        for path, view in below("/", entry):
            # The document does not describe itself; it is no view of DRF.
            if path.startswith("/api/v1/") and view is not None:
                yield re.sub(r"<\w+:(\w+)>", r"{\1}", path), view


def offered(view: type[APIView]) -> set[str]:
    return {method for method in METHODS if hasattr(view, method)}


def test_the_document_is_valid() -> None:
    # Untyped, as all of that package.
    cast(Any, validate_schema)(document())


def test_every_route_is_listed_with_every_method() -> None:
    """Checks 186."""
    there = {path: offered(view) for path, view in routes()}
    told = {path: METHODS & set(found) for path, found in document()["paths"].items()}
    assert told == there
    assert len(there) >= 14


def test_what_the_router_has_beside_them_is_the_document_itself() -> None:
    prefix = [e for e in get_resolver().url_patterns if str(e.pattern) == "api/v1/"]
    [api] = [entry for entry in prefix if isinstance(entry, URLResolver)]
    own = [str(e.pattern) for e in api.url_patterns if isinstance(e, URLPattern)]
    assert own == ["openapi.json", "admin/stats"]


def test_operation_ids_are_unique_words_that_stay() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    where = {o["operationId"]: f"{method} {path}" for method, path, o in operations()}
    assert {name: where.get(name) for name in OPERATIONS} == OPERATIONS


def test_every_call_says_whether_it_needs_a_token() -> None:
    """Checks 107, 186: open by name only."""
    for _, path, operation in operations():
        anyone = operation["security"] == [{}]
        assert anyone == (path in PUBLIC)
        if not anyone:
            assert {"accessToken": []} in operation["security"]
            assert {} not in operation["security"]
            assert "401" in operation["responses"]


def test_the_document_and_the_views_agree_on_who_is_let_in() -> None:
    open_to_anyone = {
        path for path, view in routes() if AllowAny in view.permission_classes
    }
    assert open_to_anyone == PUBLIC


def test_the_ways_to_sign_in_are_described() -> None:
    schemes = document()["components"]["securitySchemes"]
    assert schemes["accessToken"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    flow = schemes["passwordForm"]["flows"]["password"]
    assert flow["tokenUrl"] == "/api/v1/auth/login/oauth"


def test_every_call_says_what_it_is_for() -> None:
    tags = {tag["name"] for tag in document()["tags"]}
    for method, path, operation in operations():
        assert operation["description"], (method, path)
        assert set(operation["tags"]) <= tags


def refusals(operation: dict[str, Any]) -> dict[str, Any]:
    return {s: r for s, r in operation["responses"].items() if int(s) >= 400}


def test_every_refusal_is_a_problem_with_examples_that_are_true() -> None:
    """Checks 210."""
    statuses = {reason.code: reason.status for reason in errors.catalogue()}
    for _, _, operation in operations():
        for status, refusal in refusals(operation).items():
            [(kind, content)] = refusal["content"].items()
            assert kind == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for code, example in content["examples"].items():
                assert statuses[code] == int(status) == example["value"]["status"]
                assert example["value"]["type"] == f"/docs/errors#{code}"


def test_refusals_have_the_headers_that_belong_to_them() -> None:
    wanted = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    for _, _, operation in operations():
        for status, refusal in refusals(operation).items():
            if status in wanted:
                assert wanted[status] in refusal["headers"]


def test_every_call_can_fail_as_all_can() -> None:
    for method, _, operation in operations():
        told = set(operation["responses"])
        assert {"400", "500", "503"} <= told
        if method in {"post", "put", "patch"}:
            assert {"413", "415", "422"} <= told


def test_every_limit_is_told() -> None:
    views = dict(routes())
    for method, path, operation in operations():
        limited = method.upper() in getattr(views[path], "limits", {})
        assert ("429" in operation["responses"]) >= limited


def test_every_address_with_an_id_can_be_one_that_is_not_there() -> None:
    for _, path, operation in operations():
        if "{" in path:
            assert "404" in operation["responses"]
            assert "403" in operation["responses"]


def test_objects_have_the_fields_of_the_contract() -> None:
    shapes = document()["components"]["schemas"]
    user = "id email first_name last_name phone_number is_active is_superuser locale"
    user += " created_at updated_at email_verified"
    token = "access_token refresh_token token_type expires_in user"
    session = "id device_name device_id ip_address location_city location_country"
    session += " last_used_at created_at expires_at is_current"
    for name, fields in {"User": user, "Token": token, "Session": session}.items():
        assert set(fields.split()) <= shapes[name]["properties"].keys()
    problem = "type title status detail instance success errors needs organizations"
    assert shapes["Problem"]["properties"].keys() == set(problem.split())


def test_what_may_be_null_says_so() -> None:
    user = document()["components"]["schemas"]["User"]["properties"]
    nullable = {name for name, shape in user.items() if "null" in shape["type"]}
    assert nullable == {"last_name", "phone_number", "locale", "updated_at"}


def test_no_secret_is_ever_answered() -> None:
    """Checks 17, 226."""
    for name, shape in document()["components"]["schemas"].items():
        if not name.endswith("Request"):
            assert not [f for f in shape.get("properties", {}) if "password" in f]


def test_the_document_says_nothing_of_what_we_are_made_of() -> None:
    """Checks 185."""
    assert not re.search(
        r"(?i)django|uvicorn|postgres|/work|localhost", openapi_document()
    )


def test_the_committed_document_is_the_present_one() -> None:
    """`make openapi` writes it."""
    committed = servers.ROOT / "docs" / "openapi.json"
    assert committed.read_text() == openapi_document()


def test_the_command_writes_it_and_notices_a_difference(
    settings: Settings, tmp_path: Path
) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    target = tmp_path / "docs" / "openapi.json"
    with pytest.raises(CommandError, match="stale"):
        call_command("write_openapi", "--check")
    call_command("write_openapi")
    assert target.read_text() == openapi_document()
    call_command("write_openapi", "--check")
    target.write_text("{}")
    with pytest.raises(CommandError, match="stale"):
        call_command("write_openapi", "--check")


# --- Seen in service ---------------------------------------------------------------


def answers(
    client: Api, stranger: Api, user: User
) -> Iterator[tuple[str, httpx.Response]]:
    """A call of every kind, some refused, each under the name it has in the document."""
    device = client.session.pk
    wrong = {"email": user.email, "password": "wrong wrong wrong wrong"}
    yield "login", stranger.post("/auth/login", wrong)
    yield "login", stranger.post("/auth/login", wrong | {"password": PASSWORD})
    yield "login", stranger.post("/auth/login", {})
    yield "register", stranger.post("/auth/register", {})
    yield "refresh", stranger.post("/auth/refresh", {"refresh_token": "x"})
    lost = {"email": user.email}
    yield "request_password_reset", stranger.post("/auth/password-reset/request", lost)
    reset = {"token": "x", "new_password": PASSWORD}
    yield "confirm_password_reset", stranger.post("/auth/password-reset/confirm", reset)
    yield "verify_email", stranger.post("/auth/email/verify", {"token": "x"})
    yield "resend_verification", stranger.post("/auth/email/resend", lost)
    for name, page in (
        ("confirm_email_change", "email/confirm"),
        ("restore_email", "email/restore"),
        ("disown", "disown"),
        ("stay", "stay"),
    ):
        yield name, stranger.post(f"/auth/{page}", {"token": "x"})
    yield "get_me", stranger.get("/users/me")
    yield "get_me", client.get("/users/me")
    yield "update_me", client.patch("/users/me", {"locale": "xx"})
    yield "list_users", client.get("/users")
    yield "get_user", client.get(f"/users/{device}")
    yield "delete_user", client.delete(f"/users/{user.pk}")
    yield "rename_session", client.patch(f"/sessions/{user.pk}", {"device_name": "x"})
    yield "end_session", client.delete(f"/sessions/{user.pk}")
    yield (
        "change_my_password",
        client.patch(
            "/users/me/password", {"current_password": "x", "new_password": "y" * 12}
        ),
    )
    new = {"new_email": "new@example.com", "current_password": PASSWORD}
    yield "change_my_email", client.post("/users/me/email", new)
    yield "export_me", client.get("/users/me/export")
    yield "leave", client.delete("/users/me", json={"current_password": "x"})
    yield "logout", client.post("/auth/logout", {"refresh_token": "x"})
    yield "logout_all", client.post("/auth/logout-all")
    yield "logout", client.post("/auth/logout")


@pytest.mark.django_db
def test_what_is_answered_is_in_the_document(api: SignIn, alice: User) -> None:
    told = {operation["operationId"]: operation for _, _, operation in operations()}
    for name, answer in answers(api(alice), api(), alice):
        status = str(answer.status_code)
        assert status in told[name]["responses"], (name, answer.text)
        content = told[name]["responses"][status]["content"]
        assert answer.headers["Content-Type"] in content
        assert answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", str(uuid4()), path)


@pytest.mark.django_db
def test_without_a_token_no_call_but_the_open_ones_is_answered(api: SignIn) -> None:
    """Checks 107: whatever the method, so that nothing is told of what is there."""
    for path in document()["paths"].keys() - PUBLIC:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = api().call(method, filled(path), raw=True)
            refused(answer, 401, "not_authenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_a_token_of_an_ended_session_opens_nothing(api: SignIn, root: User) -> None:
    client = api(root)
    assert client.post("/auth/logout").status_code == 200
    for method, path, _ in operations():
        if path not in PUBLIC:
            answer = client.call(method.upper(), filled(path), raw=True)
            refused(answer, 401, "session_ended")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "place", [{"params": "access_token"}, {"params": "token"}, {"headers": "Cookie"}]
)
def test_a_token_elsewhere_than_in_its_header_is_none(
    api: SignIn, alice: User, place: dict[str, str]
) -> None:
    """Checks 58."""
    token = api(alice).tokens.access_token
    [(where, name)] = place.items()
    value = f"access_token={token}" if name == "Cookie" else token
    refused(api().get("/users/me", **{where: {name: value}}), 401, "not_authenticated")


# --- Conventions ---------------------------------------------------------------------


def values(found: Any) -> Iterator[tuple[str, Any]]:
    """Every member of an answer, however deep, with its name."""
    if isinstance(found, list):
        for inner in found:
            yield from values(inner)
    elif isinstance(found, dict):
        for name, inner in found.items():
            yield name, inner
            yield from values(inner)


@pytest.mark.django_db
def test_answers_keep_the_conventions(api: SignIn, root: User) -> None:
    """Names in snake_case, ids time-ordered UUIDs, times RFC 3339 in UTC with Z."""
    client = api(root)
    for path in ("/users/me", "/users", "/sessions/me"):
        for name, value in values(client.get(path).json()):
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
            if name == "id":
                assert UUID(value).version == 7
            if name.endswith("_at") and value is not None:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/sessions/me/expired"),
        ("DELETE", "/sessions/me/others"),
        ("POST", "/auth/logout"),
        ("POST", "/auth/logout-all"),
    ],
)
def test_a_message_answer_has_two_members(
    api: SignIn, alice: User, method: str, path: str
) -> None:
    body = api(alice).call(method, path).json()
    assert body == {"success": True, "message": body["message"]}
    assert body["message"].endswith(".")
