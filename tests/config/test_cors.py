"""Which web origins may read our answers: those that are listed, to the letter."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from sessions_app.models import Session
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

APP = "https://app.example.com"
LOGIN = {"email": "alice@example.com", "password": PASSWORD}
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type, x-device-id",
}
STRANGERS = [
    "https://evil.io",
    "null",
    "http://app.example.com",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://app.example.com.evil.io",
    "https://xapp.example.com",
    "https://x.app.example.com",
    "https://app.example.com, https://evil.io",
    "https://app-example.com",
    "https://api.example.com",
    "http://testserver",
    "file://",
    "*",
    "",
    "\u00e9",
    "https://[",
]
# Refused by each layer in turn: the web app must be able to read why.
REFUSALS = [
    ("GET", "/users/me", {}, 401),
    ("GET", "/nowhere", {}, 404),
    ("GET", "/auth/login", {}, 405),
    ("POST", "/auth/login", {"json": {}}, 422),
    ("POST", "/auth/login", {"content": b"x" * 2_000_000}, 413),
]


def test_a_listed_origin_may_read_the_answer(api: SignIn, alice: User) -> None:
    """Checks 175."""
    headers = api(alice).get("/users/me", headers={"Origin": APP}).headers
    assert headers.get_list("Access-Control-Allow-Origin") == [APP]
    assert "origin" in headers["Vary"].lower()
    exposed = set(headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"Retry-After", "X-Request-ID"}


@pytest.mark.parametrize(("method", "path", "more", "status"), REFUSALS)
def test_a_listed_origin_may_read_a_refusal(
    api: SignIn, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = api().call(method, path, headers={"Origin": APP}, **more)
    refused(answer, status)
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [APP]
    assert "origin" in answer.headers["Vary"].lower()


@pytest.mark.parametrize("origin", STRANGERS)
def test_no_other_origin_may_read_anything(api: SignIn, alice: User, origin: str) -> None:
    """Checks 175; the call itself is served, as curl's would be."""
    client = api(alice)
    headers = client.headers({}) | {"Origin": origin}
    answer = client.application.request(
        "GET",
        "/api/v1/users/me",
        headers=[(name, value.encode("latin-1")) for name, value in headers.items()],
    )
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "origin" in answer.headers["Vary"].lower()


@pytest.mark.parametrize(("method", "path", "more", "status"), REFUSALS)
def test_no_other_origin_may_read_a_refusal(
    api: SignIn, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    headers = {"Origin": "https://evil.io"}
    answer = api().call(method, path, headers=headers, **more)
    refused(answer, status)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path", ["/users/me", "/auth/login", "/nowhere"])
def test_a_preflight_is_answered_without_a_token_and_without_a_body(
    api: SignIn, path: str
) -> None:
    headers = PREFLIGHT | {"Origin": APP}
    answer = api().call("OPTIONS", path, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"authorization", "content-type", "x-device-id", "x-request-id"} <= allowed
    assert int(answer.headers["Access-Control-Max-Age"]) <= 86_400


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_preflight_of_another_origin_allows_nothing(api: SignIn, origin: str) -> None:
    headers = PREFLIGHT | {"Origin": origin}
    answer = api().application.request(
        "OPTIONS",
        "/api/v1/users/me",
        headers=[(name, value.encode("latin-1")) for name, value in headers.items()],
    )
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_preflights_are_not_counted(api: SignIn, settings: Settings) -> None:
    """Checks 198."""
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"register": 1}
    headers = PREFLIGHT | {"Origin": APP}
    for _ in range(5):
        answer = api().call("OPTIONS", "/auth/register", headers=headers)
        assert answer.status_code == 200
    refused(api().post("/auth/register", {}), 422)


@pytest.mark.parametrize("origin", [APP, "https://evil.io"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_credentials_are_never_allowed(api: SignIn, origin: str, method: str) -> None:
    """Checks 177: no cookie authenticates a call."""
    headers = PREFLIGHT | {"Origin": origin}
    answer = api().call(method, "/users/me", headers=headers)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers.get("Access-Control-Allow-Origin") != "*"


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/health", "/admin/login/", "/static/pages/pages.css"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_only_calls_are_shared_with_other_origins(
    api: SignIn, method: str, path: str
) -> None:
    headers = PREFLIGHT | {"Origin": APP}
    answer = api().call(method, path, raw=True, headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_simple_request_of_another_site_cannot_carry_a_body_we_read(
    api: SignIn, alice: User
) -> None:
    """A form or a text goes without preflight; neither is JSON (checks 34)."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Origin": "https://evil.io", "Content-Type": kind}
        answer = api().post("/auth/login", LOGIN, headers=headers)
        refused(answer, 415)
    assert not Session.objects.exists()
