"""What every answer shares: problems, headers, limits on bodies, ids, CORS."""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.urls import URLResolver, get_resolver
from pytest_django.fixtures import Settings

from accounts.models import User
from config import errors
from config.api.problems import FIELD_CODES
from sessions_app.models import Session
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
SOME_ID = "3d1f7c52-6a0b-4e8e-9c1d-5b2f8a7e6d40"
JSON = {"Content-Type": "application/json"}


def check_problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """An RFC 9457 document with the envelope, and nothing of the inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["success"] is False
    assert body["instance"] == f"urn:uuid:{answer.headers['X-Request-ID']}"
    word = body["type"].removeprefix("/docs/errors#")
    assert word in {reason.code for reason in errors.catalogue()}
    assert body["title"].lower().replace(" ", "_") == word
    for fault in body["errors"]:
        assert set(fault) == {"code", "message", "field"}
        assert fault["code"] in {word, *FIELD_CODES}
    assert code in {None, word}
    assert not re.search(r"Traceback|File \"|SELECT|django|/work", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    return body


# --- Errors from every layer -------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/users/me/", 404, "not_found"),
        ("POST", "/api/v1/auth/login/", 404, "not_found"),
        ("GET", "/api/v1/auth/login", 405, "method_not_allowed"),
        ("PUT", "/api/v1/auth/login", 405, "method_not_allowed"),
        ("TRACE", "/api/v1/auth/login", 405, "method_not_allowed"),
        ("FOO", "/api/v1/auth/login", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("DELETE", "/docs", 405, "method_not_allowed"),
        ("POST", "/health/live", 405, "method_not_allowed"),
        ("GET", "/api/v1/users/me", 401, "not_authenticated"),
        ("OPTIONS", "/api/v1/users/me", 401, "not_authenticated"),
        ("GET", "/static/none.css", 404, "not_found"),
        ("GET", "/.env", 404, "not_found"),
        ("GET", "/.git/config", 404, "not_found"),
        ("GET", "/manage.py", 404, "not_found"),
        ("GET", "/static/../config/settings.py", 404, "not_found"),
        ("GET", "/static/%2e%2e/config/settings.py", 404, "not_found"),
        ("GET", "/static/", 404, "not_found"),
    ],
)
def test_every_layer_speaks_the_one_error_form(
    api: SignIn, method: str, path: str, status: int, code: str
) -> None:
    check_problem(api().call(method, path, raw=True), status, code)


@pytest.mark.parametrize(
    "segment",
    [
        "abc",
        "%00",
        "..%2f..",
        "x" * 10_000,
        "%7b01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60%7d",
        "urn:uuid:01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
        "01936F2E-7C1A-7B3E-9F52-3C1D5A8E4B60",
        "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60%0a",
        "%ff%fe",
    ],
)
@pytest.mark.parametrize("place", ["users", "sessions"])
def test_an_id_has_one_form(api: SignIn, root: User, place: str, segment: str) -> None:
    check_problem(api(root).delete(f"/{place}/{segment}"), 404, "not_found")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        '{"email": "ü"}'.encode("utf-16"),
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 5_000,
        b"[" * 20_000,
        b"[" * 200_000,
        b'{"a":' * 5_000,
        b"[" * 65 + b"]" * 65,
        b"[" * 500 + b"]" * 500,
        json.dumps({str(number): 0 for number in range(10_001)}).encode(),
        b"[" + b"0," * 10_001 + b"0]",
    ],
)
def test_malformed_json_is_400(api: SignIn, content: bytes) -> None:
    answer = api().call("POST", "/auth/login", content=content, headers=JSON)
    check_problem(answer, 400 if content else 422)


def test_depth_up_to_the_limit_is_read(api: SignIn, alice: User) -> None:
    deep: Any = {}
    for _ in range(61):
        deep = {"a": deep}
    answer = api(alice).patch("/users/me", {"preferences": deep})
    assert answer.status_code == 200


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "a\\udfffb"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"first_name": "%s"}', "first_name"),
        ('{"preferences": {"a": ["%s"]}}', "preferences.a.0"),
        ('{"preferences": {"%s": 1}}', "preferences"),
        ('{"unknown": "%s"}', "unknown"),
        ('{"locale": "%s"}', "locale"),
        ('{"phone_number": "%s"}', "phone_number"),
    ],
)
def test_what_cannot_be_stored_is_told_where(
    api: SignIn, alice: User, text: str, body: str, field: str
) -> None:
    content = (body % text).encode()
    answer = api(alice).call("PATCH", "/users/me", content=content, headers=JSON)
    problem = check_problem(answer, 422, "validation_failed")
    assert [fault["field"] for fault in problem["errors"]] == [field]


@pytest.mark.parametrize(
    "fault",
    [
        (IntegrityError, 409, "conflict"),
        (OperationalError, 503, "unavailable"),
        (InterfaceError, 503, "unavailable"),
        (DataError, 400, "malformed_request"),
        (RuntimeError, 500, "internal_error"),
    ],
)
def test_a_fault_below_tells_nothing_of_itself(
    api: SignIn,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: tuple[type[Exception], int, str],
) -> None:
    error, status, code = fault

    def fail(*_: object) -> None:
        raise error("secret words of the inside")

    client = api(alice)
    monkeypatch.setattr(Session, "touch", fail)
    with caplog.at_level(logging.INFO):
        answer = client.get("/users/me")
    check_problem(answer, status, code)
    assert "secret words" not in answer.text
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    if status == 500:
        assert "secret words" in caplog.text


# --- Bodies ------------------------------------------------------------------------


def test_a_declared_body_beyond_the_limit_is_refused(api: SignIn) -> None:
    headers = JSON | {"Content-Length": str(20 * 1024 * 1024)}
    answer = api().call("POST", "/auth/login", content=b"{}", headers=headers)
    check_problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "9" * 40, "²"])
def test_a_length_is_a_number(api: SignIn, length: str) -> None:
    headers = [("Content-Type", b"application/json")]
    headers += [("Content-Length", length.encode("latin-1", "replace"))]
    answer = api().application.request(
        "POST", "/api/v1/auth/login", content=b"{}", headers=headers
    )
    check_problem(answer, 413 if length == "9" * 40 else 400)


async def chunks(size: int) -> AsyncIterator[bytes]:
    yield b'{"email": "alice@example.com", "password": "'
    for _ in range(size):
        yield b"x" * 1024
    yield b'"}'


@pytest.mark.parametrize(("kibibytes", "status"), [(0, 422), (1, 422), (1024, 413)])
def test_a_chunked_body_is_read_and_counted(
    api: SignIn, kibibytes: int, status: int
) -> None:
    answer = api().call("POST", "/auth/login", content=chunks(kibibytes), headers=JSON)
    problem = check_problem(answer, status)
    if status == 422:
        assert {fault["field"] for fault in problem["errors"]} == {"password"}


# --- Request ids and hosts ---------------------------------------------------------


@pytest.mark.parametrize(
    "request_id", [SOME_ID, SOME_ID.replace("-", ""), SOME_ID.upper()]
)
def test_a_request_id_that_is_a_uuid_is_kept(api: SignIn, request_id: str) -> None:
    answer = api().get("/users/me", headers={"X-Request-ID": request_id})
    assert answer.headers["X-Request-ID"] == request_id
    check_problem(answer, 401)


@pytest.mark.parametrize(
    "request_id",
    ["", "x", "1", "a" * 10_000, "{" + SOME_ID + "}", SOME_ID + "x", "é"],
)
def test_any_other_request_id_is_replaced(api: SignIn, request_id: str) -> None:
    header = {"X-Request-ID": request_id.encode("latin-1")}
    answer = api().application.request("GET", "/api/v1/users/me", headers=header)
    assert UUID(answer.headers["X-Request-ID"]).version == 7


@pytest.mark.parametrize(
    "host",
    [
        "evil.io",
        "testserver.evil.io",
        "testserver,evil.io",
        "testserver:99999999",
        "",
        "*",
    ],
)
def test_another_host_is_refused_and_not_repeated(api: SignIn, host: str) -> None:
    answer = api().get("/users/me", headers={"Host": host})
    check_problem(answer, 400, "host_not_allowed")
    assert "evil" not in answer.text + str(answer.headers)


def test_a_probe_may_come_by_any_name(api: SignIn) -> None:
    answer = api().get("/health/live", raw=True, headers={"Host": "10.0.0.7:8000"})
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_too_many_headers_are_refused(api: SignIn) -> None:
    answer = api().get("/users/me", headers={"X-Large": "x" * 33_000})
    check_problem(answer, 431, "headers_too_large")


def test_a_query_that_is_no_ascii_is_refused(in_process: Any) -> None:
    """A client library would escape it, so the scope is made by hand."""
    answers: list[Any] = []

    async def send(message: Any) -> None:
        answers.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/users/me",
        "query_string": b"a=\xff",
        "headers": [(b"host", b"testserver")],
        "scheme": "http",
        "client": None,
    }
    in_process.loop.run_until_complete(in_process.application(scope, receive, send))
    assert answers[0]["status"] == 400


# --- Headers -----------------------------------------------------------------------

STRICT = {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"}
ANSWERS = [
    ("GET", "/api/v1/users/me", "api"),
    ("GET", "/api/v1/nowhere", "api"),
    ("OPTIONS", "/api/v1/auth/login", "api"),
    ("GET", "/health", "other"),
    ("GET", "/", "page"),
    ("GET", "/docs", "page"),
    ("GET", "/redoc", "redoc"),
    ("GET", "/admin/login/", "page"),
    ("GET", "/admin/", "redirect"),
    ("GET", "/static/pages/pages.css", "static"),
]


@pytest.mark.parametrize(("method", "path", "kind"), ANSWERS)
def test_every_answer_carries_the_security_headers(
    api: SignIn, method: str, path: str, kind: str
) -> None:
    headers = api().call(method, path, raw=True).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = set(headers["Content-Security-Policy"].split("; "))
    assert policy >= STRICT
    assert not any(
        "unsafe-eval" in part or "script-src 'unsafe" in part for part in policy
    )
    assert ("style-src 'self' 'unsafe-inline'" in policy) == (kind == "redoc")
    assert ("Cross-Origin-Opener-Policy" in headers) == (
        kind in {"page", "redoc", "redirect"}
    )
    assert ("Authorization" in headers.get("Vary", "")) == (kind == "api")
    assert ("no-store" in headers["Cache-Control"]) == (kind != "static")
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers
    assert "Set-Cookie" not in headers or kind in {"page", "redirect"}


@pytest.mark.parametrize(("mode", "inline"), [("strict", False), ("relaxed", True)])
def test_pages_can_be_relaxed_and_calls_cannot(
    api: SignIn, settings: Settings, mode: str, inline: bool
) -> None:
    settings.CSP_MODE = mode
    page = api().get("/", raw=True).headers["Content-Security-Policy"]
    assert ("'unsafe-inline'" in page) == inline
    call = api().get("/users/me").headers["Content-Security-Policy"]
    assert "unsafe" not in call


def test_the_policy_can_be_left_to_a_proxy(api: SignIn, settings: Settings) -> None:
    settings.CSP_MODE = "disabled"
    assert "Content-Security-Policy" not in api().get("/", raw=True).headers


# --- Plain HTTP where TLS is asked for ---------------------------------------------


@pytest.fixture
def secure(settings: Settings) -> Settings:
    settings.SECURE_COOKIES = True
    settings.TRUSTED_PROXY_COUNT = 1
    return settings


@pytest.mark.usefixtures("secure")
def test_a_call_in_the_clear_is_refused(api: SignIn) -> None:
    check_problem(api().post("/auth/login", LOGIN), 403, "https_required")


@pytest.mark.usefixtures("secure")
def test_a_page_in_the_clear_moves(api: SignIn) -> None:
    answer = api().get("/docs?x=1", raw=True)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://testserver/docs?x=1"


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize("proto", ["https", "HTTPS", "http, https"])
def test_behind_a_proxy_with_tls_all_is_well(api: SignIn, proto: str) -> None:
    answer = api().get("/docs", raw=True, headers={"X-Forwarded-Proto": proto})
    assert answer.status_code == 200
    hsts = answer.headers["Strict-Transport-Security"]
    assert hsts == "max-age=31536000; includeSubDomains"


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize("proto", ["gopher", "https, http", ""])
def test_a_strange_scheme_is_no_tls(api: SignIn, proto: str) -> None:
    answer = api().get("/users/me", headers={"X-Forwarded-Proto": proto})
    check_problem(answer, 403, "https_required")


@pytest.mark.usefixtures("secure")
def test_a_probe_comes_without_tls(api: SignIn) -> None:
    assert api().get("/health/ready", raw=True).status_code == 200


# --- CORS --------------------------------------------------------------------------

APP = "https://app.example.com"


def test_an_allowed_origin_is_answered(api: SignIn) -> None:
    answer = api().get("/users/me", headers={"Origin": APP})
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "origin" in answer.headers["Vary"].lower()
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.io",
        "null",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.io",
        "https://xapp.example.com",
        "https://APP.example.com/",
        "*",
        "é",
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_no_other_origin_is(api: SignIn, origin: str, method: str) -> None:
    headers = {
        "Origin": origin.encode("latin-1"),
        "Access-Control-Request-Method": b"GET",
    }
    answer = api().application.request(method, "/api/v1/users/me", headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_preflight_is_answered_without_a_token(api: SignIn) -> None:
    headers = {
        "Origin": APP,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, x-device-id",
    }
    answer = api().call("OPTIONS", "/users/me", headers=headers)
    assert answer.status_code == 200
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "x-device-id" in answer.headers["Access-Control-Allow-Headers"]


def test_what_the_edge_refuses_can_be_read_by_the_app(api: SignIn) -> None:
    headers = JSON | {"Origin": APP, "Content-Length": "99999999"}
    answer = api().call("POST", "/auth/login", content=b"{}", headers=headers)
    check_problem(answer, 413)
    assert answer.headers["Access-Control-Allow-Origin"] == APP


# --- Methods -----------------------------------------------------------------------


def test_head_is_get_without_a_body(api: SignIn, alice: User) -> None:
    client = api(alice)
    assert client.call("HEAD", "/users/me").status_code == 200
    assert client.call("HEAD", "/auth/logout").status_code == 405
    assert client.get("/users/me").status_code == 200


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?_method=DELETE", {}),
        ("", {"X-HTTP-Method-Override": "DELETE"}),
        ("", {"X-Method-Override": "DELETE"}),
    ],
)
def test_a_method_cannot_be_overridden(
    api: SignIn, alice: User, query: str, headers: dict[str, str]
) -> None:
    client = api(alice)
    path = f"/sessions/{client.session.pk}{query}"
    assert client.post(path, {}, headers=headers).status_code == 405
    assert client.get("/users/me").status_code == 200


def test_options_tells_nothing_of_the_fields(api: SignIn, alice: User) -> None:
    check_problem(api(alice).call("OPTIONS", "/users/me"), 405)


def test_every_call_but_the_public_ones_needs_a_token(api: SignIn) -> None:
    public = {"auth/register", "auth/login", "auth/login/oauth", "auth/refresh"}
    public |= {"auth/password-reset/request", "auth/password-reset/confirm"}
    public |= {f"auth/email/{end}" for end in ("verify", "resend", "confirm", "restore")}
    public |= {"auth/disown", "auth/stay", "invitations/preview"}
    paths = set(_api_paths())
    assert public < paths
    for path in paths - public - {"openapi.json"}:
        filled = re.sub(r"<\w+:\w+>", str(uuid4()), path)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            check_problem(api().call(method, f"/{filled}"), 401, "not_authenticated")


def _api_paths() -> Iterator[str]:
    (versioned,) = [
        entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/v1/"
    ]
    for part in cast(URLResolver, versioned).url_patterns:
        for leaf in getattr(part, "url_patterns", [part]):
            yield str(leaf.pattern)


@pytest.mark.parametrize("language", ["it", "xx", "*" * 300])
def test_the_language_of_one_call_does_not_stay_for_the_next(
    api: SignIn, language: str
) -> None:
    api().get("/users/me", headers={"Accept-Language": language})
    answer = api().post("/auth/login", {})
    assert answer.json()["errors"][0]["message"] == "This field is required."


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "x", "*/*;q=0", ""])
def test_the_answer_is_json_whatever_is_accepted(api: SignIn, accept: str) -> None:
    check_problem(api().get("/users/me", headers={"Accept": accept}), 401)


def test_a_console_cookie_opens_no_call(api: SignIn, root: User) -> None:
    assert isinstance(api(), Api)
    cookie = {"Cookie": "console=abc; __Host-console=abc; csrf=x"}
    check_problem(api().get("/users/me", headers=cookie), 401)
