"""Headers of safety: policies, caching, cookies, and forms that only our pages send."""

import json
import os
import re
import subprocess
import sys
from typing import Any, NamedTuple

import httpx
import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from config import policies
from sessions_app.models import Session
from tests import servers
from tests.config.console import cookie_header, enter, opened
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}


class Case(NamedTuple):
    method: str
    path: str
    more: dict[str, Any]
    status: int
    kind: str

    def ask(self, api: SignIn, **headers: str) -> httpx.Response:
        more = self.more | {"headers": headers | self.more.get("headers", {})}
        answer = api().call(self.method, self.path, raw=True, **more)
        assert answer.status_code == self.status
        return answer


def case_name(case: Case) -> str:
    return f"{case.method} {case.path} {case.status}"


# Whatever the answer: refused by the edge, by Django, by DRF, a page, a file, a probe.
CASES = [
    Case("GET", "/api/v1/users/me", {}, 401, "api"),
    Case("GET", "/api/v1/nowhere", {}, 404, "api"),
    Case("GET", "/api/v1/auth/login", {}, 405, "api"),
    Case("POST", "/api/v1/auth/login", {"json": {}}, 422, "api"),
    Case("POST", "/api/v1/auth/login", {"content": b"{"}, 415, "api"),
    Case("POST", "/api/v1/auth/login", {"content": b"x" * 2_000_000}, 413, "api"),
    Case("GET", "/api/v1/users/me", {"headers": {"X-A": "x" * 40_000}}, 431, "api"),
    Case("GET", "/api/v1/users/me", {"headers": {"Host": "evil.io"}}, 400, "api"),
    Case("GET", "/api/v1/openapi.json", {}, 200, "api"),
    Case("GET", "/nowhere", {}, 404, "other"),
    Case("GET", "/health", {}, 200, "other"),
    Case("GET", "/health/live", {}, 200, "other"),
    Case("POST", "/health/live", {}, 405, "other"),
    Case("GET", "/", {}, 200, "page"),
    Case("GET", "/docs", {}, 200, "page"),
    Case("GET", "/docs/errors", {}, 200, "page"),
    Case("GET", "/redoc", {}, 200, "redoc"),
    Case("GET", "/admin", {}, 302, "page"),
    Case("GET", "/admin/", {}, 302, "page"),
    Case("GET", "/admin/login/", {}, 200, "page"),
    Case("POST", "/admin/login/", {}, 403, "page"),
    Case("GET", "/static/pages/pages.css", {}, 200, "static"),
    Case("GET", "/static/pages/none.css", {}, 404, "other"),
]
every_answer = pytest.mark.parametrize("case", CASES, ids=case_name)


def policy_of(answer: httpx.Response) -> dict[str, set[str]]:
    [header] = answer.headers.get_list("Content-Security-Policy")
    directives = (part.split() for part in header.split(";"))
    return {name: set(values) for name, *values in directives}


@every_answer
def test_every_answer_is_safe(api: SignIn, case: Case) -> None:
    """Checks 171."""
    answer = case.ask(api)
    headers = answer.headers
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("X-Frame-Options") == ["DENY"]
    assert headers.get_list("Referrer-Policy") == ["same-origin"]
    assert headers.get_list("Cross-Origin-Resource-Policy") == ["same-origin"]
    opener = headers.get_list("Cross-Origin-Opener-Policy")
    assert opener == (["same-origin"] if case.kind in {"page", "redoc"} else [])
    policy = policy_of(answer)
    assert policy["frame-ancestors"] == policy["base-uri"] == {"'none'"}


@every_answer
def test_no_answer_says_what_it_is_made_of(api: SignIn, case: Case) -> None:
    """Checks 185."""
    headers = case.ask(api).headers
    assert not {"server", "x-powered-by", "via"} & headers.keys()
    assert not re.search(r"(?i)uvicorn|django|python|servestatic", str(headers))


@every_answer
def test_only_the_console_sets_a_cookie(api: SignIn, case: Case) -> None:
    """Checks 178."""
    headers = case.ask(api).headers
    assert ("Set-Cookie" in headers) == (case[:2] == ("GET", "/admin/login/"))


@every_answer
def test_only_files_may_be_kept(api: SignIn, case: Case) -> None:
    """Checks 174."""
    answer = case.ask(api)
    kept = case.kind == "static" or case.path == "/api/v1/openapi.json"
    assert ("no-store" in answer.headers["Cache-Control"]) != kept
    assert ("Authorization" in answer.headers.get("Vary", "")) == (case.kind == "api")
    assert ("ETag" in answer.headers) <= (case.kind == "static")


@pytest.mark.parametrize("proto", ["https", "http"])
@pytest.mark.parametrize(
    # Headers too large to be looked at say nothing of TLS either.
    "case",
    [case for case in CASES if case.status != 431],
    ids=case_name,
)
def test_only_over_tls_is_a_browser_told_to_stay_there(
    api: SignIn, settings: Settings, case: Case, proto: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    answer = case.ask(api, **{"X-Forwarded-Proto": proto})
    told = answer.headers.get_list("Strict-Transport-Security")
    wanted = ["max-age=31536000; includeSubDomains"] if proto == "https" else []
    assert told == wanted


# --- Policies ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["strict", "relaxed"])
@pytest.mark.parametrize(
    "path", ["/users/me", "/nowhere", "/auth/login", "/openapi.json"]
)
def test_a_call_allows_nothing_in_any_mode(
    api: SignIn, settings: Settings, path: str, mode: str
) -> None:
    """Checks 173."""
    settings.CSP_MODE = mode
    assert policy_of(api().get(path)) == {
        "default-src": {"'none'"},
        "frame-ancestors": {"'none'"},
        "base-uri": {"'none'"},
        "form-action": {"'none'"},
    }


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/errors", "/admin/login/"])
def test_a_page_runs_our_own_files_and_nothing_inline(api: SignIn, path: str) -> None:
    policy = policy_of(api().get(path, raw=True))
    assert policy["default-src"] == policy["object-src"] == {"'none'"}
    assert policy["script-src"] == policy["style-src"] == {"'self'"}
    assert policy["form-action"] == policy["connect-src"] == {"'self'"}
    assert policy["img-src"] == {"'self'", "data:"}


def test_redoc_alone_writes_styles_and_works_from_a_blob(api: SignIn) -> None:
    policy = policy_of(api().get("/redoc", raw=True))
    assert policy["script-src"] == {"'self'"}
    assert policy["style-src"] == {"'self'", "'unsafe-inline'"}
    assert policy["worker-src"] == {"'self'", "blob:"}


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/admin/login/"])
def test_a_relaxed_page_allows_inline_but_no_foreign_script(
    api: SignIn, settings: Settings, path: str
) -> None:
    settings.CSP_MODE = "relaxed"
    policy = policy_of(api().get(path, raw=True))
    assert policy["script-src"] == policy["style-src"] == {"'self'", "'unsafe-inline'"}
    assert policy["object-src"] == policy["frame-ancestors"] == {"'none'"}
    assert ("worker-src" in policy) == (path == "/redoc")


@pytest.mark.parametrize("path", ["/", "/redoc", "/api/v1/users/me", "/health"])
def test_the_policy_can_be_left_to_a_proxy_and_nothing_else_can(
    api: SignIn, settings: Settings, path: str
) -> None:
    settings.CSP_MODE = "disabled"
    headers = api().get(path, raw=True).headers
    assert "Content-Security-Policy" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_mode_and_no_kind_lets_a_page_evaluate_text() -> None:
    for mode in ("strict", "relaxed", "disabled"):
        for kind in ("api", "page", "redoc", "other"):
            policy = policies.content_security_policy(kind, mode)
            assert "unsafe-eval" not in policy
            assert "*" not in policy


# --- Caching -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users/me", None),
        ("PATCH", "/users/me", {}),
        ("GET", "/users/{id}", None),
        ("GET", "/sessions/me", None),
        ("POST", "/auth/login", LOGIN),
        ("POST", "/auth/logout-all", None),
    ],
)
def test_personal_data_is_kept_by_nobody(
    api: SignIn, alice: User, method: str, path: str, body: object
) -> None:
    answer = api(alice).call(method, path.format(id=alice.pk), body)
    assert answer.status_code == 200
    assert answer.headers.get_list("Cache-Control") == ["no-store"]
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Range": "bytes=0-3"},
    ],
)
def test_a_call_is_never_answered_by_halves(
    api: SignIn, alice: User, headers: dict[str, str]
) -> None:
    answer = api(alice).get("/users/me", headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (200, str(alice.pk))


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "x", "*/*;q=0", ""])
def test_the_answer_is_json_whatever_is_accepted(
    api: SignIn, alice: User, accept: str
) -> None:
    answer = api(alice).get("/users/me?format=api", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["id"] == str(alice.pk)


@pytest.mark.parametrize("language", ["it", "it-IT,it;q=0.9", "xx", "*" * 300, ""])
def test_the_answer_is_english_whatever_is_spoken(api: SignIn, language: str) -> None:
    """Clients decide by codes; a text that changes would only mislead a log."""
    headers = {"Accept-Language": language}
    body = api().post("/auth/login", {}, headers=headers).json()
    assert body["errors"][0]["message"] == "This field is required."


# --- The console's cookies and forms -----------------------------------------------


def test_the_console_is_entered_by_its_form(api: SignIn, root: User) -> None:
    answer = enter(api(), root.email)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
    page = api().get("/admin/", raw=True, headers=cookie_header(dict(answer.cookies)))
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(
    api: SignIn, root: User
) -> None:
    """Checks 180; in production with a prefix, below."""
    for header in enter(api(), root.email).headers.get_list("Set-Cookie"):
        name, *attributes = header.split("; ")
        assert name.split("=")[0] in {"console", "csrf"}
        assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_console_session_says_nothing_to_the_api(
    api: SignIn, root: User, method: str
) -> None:
    """Checks 178."""
    cookies = dict(enter(api(), root.email).cookies)
    assert "console" in cookies
    answer = api().call(method, f"/users/{root.pk}", headers=cookie_header(cookies))
    refused(answer, 401, "not_authenticated")
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_changes_nothing_of_a_call(api: SignIn, alice: User, root: User) -> None:
    cookies = cookie_header(dict(enter(api(), root.email).cookies))
    answer = api(alice).get("/users/me", headers=cookies)
    assert answer.json()["id"] == str(alice.pk)
    refused(api(alice).get("/users", headers=cookies), 403)


@pytest.mark.parametrize("token", [None, "", "x" * 64, "\0"])
@pytest.mark.parametrize("with_cookie", [True, False])
def test_a_form_without_its_token_is_refused(
    api: SignIn, root: User, token: str | None, with_cookie: bool
) -> None:
    """Checks 179."""
    cookies, _ = opened(api())
    form = {"username": root.email, "password": PASSWORD}
    if token is not None:
        form["csrfmiddlewaretoken"] = token
    sent = cookie_header(cookies) if with_cookie else {}
    answer = api().call("POST", "/admin/login/", raw=True, data=form, headers=sent)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "console" not in answer.cookies


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://testserver", 302),
        # PUBLIC_URL, under which a proxy serves us.
        ("https://api.example.com", 302),
        ("https://evil.io", 403),
        ("null", 403),
        ("https://app.example.com", 403),
        ("http://api.example.com", 403),
        ("https://api.example.com:8443", 403),
        ("https://api.example.com.evil.io", 403),
        ("https://x.api.example.com", 403),
        ("", 403),
    ],
)
def test_a_form_must_come_from_our_own_origin(
    api: SignIn, root: User, origin: str, status: int
) -> None:
    answer = enter(api(), root.email, Origin=origin)
    assert answer.status_code == status
    assert ("console" in answer.cookies) == (status == 302)


@pytest.mark.parametrize(
    ("referer", "status"),
    [
        ("https://testserver/admin/login/", 302),
        ("https://evil.io/", 403),
        ("http://testserver/", 403),
        ("", 403),
        ("x", 403),
    ],
)
def test_over_tls_a_form_without_origin_must_name_the_page_it_came_from(
    api: SignIn, root: User, settings: Settings, referer: str, status: int
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    sent = {"X-Forwarded-Proto": "https", "Referer": referer}
    assert enter(api(), root.email, **sent).status_code == status


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n"),
        ("application/x-www-form-urlencoded", b"\xff=%ff&%00=%00"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 2_000)),
        ("application/x-www-form-urlencoded; charset=utf-16", b"a=1"),
        ("application/x-www-form-urlencoded; charset=base64", b"a=1"),
        ("application/json", b"{}"),
    ],
)
def test_a_broken_form_is_a_page_that_says_so(
    api: SignIn, kind: str, body: bytes
) -> None:
    headers = {"Content-Type": kind}
    answer = api().call("POST", "/admin/login/", raw=True, content=body, headers=headers)
    assert answer.status_code in {400, 403}
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Traceback" not in answer.text


def test_the_session_of_nobody_is_not_stored(api: SignIn) -> None:
    """A look at the sign-in page writes nothing."""
    answer = api().get("/admin/login/", raw=True)
    assert set(answer.cookies) == {"csrf"}
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "cookie",
    [
        # Django unquotes these: a NUL, and a byte that is no ASCII.
        'console="abcdefghabcdefghabcdefghabcdefgh\\000"',
        'console="abcdefgh\\000x"',
        'console="abcdefgh\\377x"',
        "console=" + "x" * 9_000,
        "console=' OR 1=1 --",
        "console=;;;==;csrf",
        'csrf="a\\000b"; messages="\\000"',
        "console=a; console=b",
    ],
)
@pytest.mark.parametrize(("path", "status"), [("/admin/", 302), ("/admin/login/", 200)])
def test_a_strange_cookie_is_no_session(
    api: SignIn, cookie: str, path: str, status: int
) -> None:
    answer = api().get(path, raw=True, headers={"Cookie": cookie})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.io",
        "//evil.io",
        "/\\evil.io",
        "http:evil.io",
        "javascript:alert(1)",
        "\r\nX: y",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(api: SignIn, root: User, target: str) -> None:
    answer = enter(api(), root.email, target=target)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


# --- As production sets it ---------------------------------------------------------

NAMES = [
    "SECURE_COOKIES",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_AGE",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE",
    "CSRF_COOKIE_SAMESITE",
    "CSRF_COOKIE_HTTPONLY",
    "CSRF_TRUSTED_ORIGINS",
]
PRINT = f"""
import json
from config import settings
print(json.dumps({{name: getattr(settings, name) for name in {NAMES}}}))
"""


@pytest.fixture(scope="module", params=["production", "staging", ""])
def produced(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What config/settings.py makes of these names in such an environment."""
    surroundings = {
        **os.environ,
        "ENVIRONMENT": request.param,
        "ALLOW_SQLITE": "true",
        "EMAIL_URL": "smtp://127.0.0.1:9",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    printed = subprocess.check_output(  # noqa: S603  # our own program
        [sys.executable, "-c", PRINT], cwd=servers.ROOT, env=surroundings
    )
    made: dict[str, Any] = json.loads(printed)
    return made


@pytest.fixture
def production(produced: dict[str, Any], settings: Settings) -> dict[str, str]:
    """Served as there, behind a proxy; what that proxy sends along."""
    for name, value in produced.items():
        setattr(settings, name, value)
    settings.TRUSTED_PROXY_COUNT = 1
    return {"X-Forwarded-Proto": "https", "Origin": "https://api.example.com"}


def test_in_production_cookies_are_bound_to_this_host_and_to_tls(
    api: SignIn, root: User, production: dict[str, str]
) -> None:
    """Checks 180; RFC 6265bis §4.1.3.2."""
    answer = enter(api(), root.email, **production)
    assert answer.status_code == 302
    cookies = answer.headers.get_list("Set-Cookie")
    names = {cookie.split("=")[0] for cookie in cookies}
    assert names == {"__Host-console", "__Host-csrf"}
    for cookie in cookies:
        attributes = set(cookie.split("; ")[1:])
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= attributes
        assert not any(attribute.startswith("Domain") for attribute in attributes)


def test_in_production_a_cookie_opens_the_console_and_no_call(
    api: SignIn, root: User, production: dict[str, str]
) -> None:
    cookies = cookie_header(dict(enter(api(), root.email, **production).cookies))
    page = api().get("/admin/", raw=True, headers=production | cookies)
    assert page.status_code == 200
    call = api().get("/users/me", headers=production | cookies)
    refused(call, 401, "not_authenticated")


def test_in_production_a_console_session_ends_within_half_an_hour(
    produced: dict[str, Any],
) -> None:
    """Checks 224."""
    assert produced["SESSION_COOKIE_AGE"] <= 30 * 60
    assert produced["CSRF_TRUSTED_ORIGINS"] == ["https://api.example.com"]


@pytest.mark.parametrize("path", ["/users/me", "/nowhere"])
def test_in_production_a_call_in_the_clear_is_refused(
    api: SignIn, root: User, production: dict[str, str], path: str
) -> None:
    refused(api(root).get(path), 403, "https_required")


def test_in_production_the_console_moves_to_tls(
    api: SignIn, production: dict[str, str]
) -> None:
    answer = api().get("/admin/login/", raw=True)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://testserver/admin/login/"
    assert "Set-Cookie" not in answer.headers
