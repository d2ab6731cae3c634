"""Every refusal is one document, from whatever layer it comes (RFC 9457)."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn
from uuid import UUID, uuid4

import psycopg
import psycopg.errors as pg
import pytest
from django.db import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.db.utils import DatabaseErrorWrapper

from accounts.errors import LastOwner
from accounts.models import User
from audit.models import Event
from config import errors
from config.api.problems import document, translate
from sessions_app.models import Session
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

WRONG = {"email": "alice@example.com", "password": "wrong wrong wrong wrong"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        (
            "POST",
            "/auth/login",
            {"content": b"{", "headers": JSON},
            400,
            "malformed_request",
        ),
        ("GET", "/users/me", {"headers": {"Host": "evil.io"}}, 400, "host_not_allowed"),
        ("GET", "/users/me", {}, 401, "not_authenticated"),
        ("POST", "/auth/login", {"json": WRONG}, 401, "invalid_credentials"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/auth/login", {}, 405, "method_not_allowed"),
        ("POST", "/auth/login", {"content": b"x" * 2_000_000}, 413, "body_too_large"),
        (
            "POST",
            "/auth/login",
            {"content": b"a=b", "headers": FORM},
            415,
            "unsupported_media_type",
        ),
        ("POST", "/auth/login", {"json": {}}, 422, "validation_failed"),
        (
            "GET",
            "/users/me",
            {"headers": {"X-A": "x" * 40_000}},
            431,
            "headers_too_large",
        ),
    ],
)
def test_every_status_has_the_one_form(
    api: SignIn, method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    refused(api().call(method, path, **more), status, code)
    assert not Session.objects.exists()


def test_a_refusal_of_wrong_credentials_is_to_the_letter(api: SignIn) -> None:
    request_id = str(uuid4())
    answer = api().post("/auth/login", WRONG, headers={"X-Request-ID": request_id})
    assert answer.json() == {
        "type": "/docs/errors#invalid_credentials",
        "title": "Invalid credentials",
        "status": 401,
        "detail": "The email address or the password is wrong.",
        "instance": f"urn:uuid:{request_id}",
        "success": False,
        "errors": [
            {
                "code": "invalid_credentials",
                "message": "The email address or the password is wrong.",
                "field": None,
            }
        ],
    }


def test_what_a_reason_adds_stands_beside_the_usual_members() -> None:
    """RFC 9457 §3.2; `organizations` is the contract's."""
    held = [{"id": "1", "name": "Kiosk", "slug": "kiosk"}]
    body = document(LastOwner(organizations=held))
    assert (body["status"], body["organizations"]) == (409, held)
    assert body["errors"][0]["code"] == "last_owner"


# --- Validation --------------------------------------------------------------------


def test_each_fault_is_told_with_its_field(api: SignIn) -> None:
    body = {"email": "x", "last_name": 7 * ["x"], "phone_number": "1"}
    problem = refused(api().post("/auth/register", body), 422, "validation_failed")
    told = {fault["field"]: fault["code"] for fault in problem["errors"]}
    assert told == {
        "email": "invalid",
        "password": "required",
        "first_name": "required",
        "last_name": "invalid",
        "phone_number": "invalid",
    }
    assert not User.objects.exists()


def test_two_faults_of_one_field_are_two_entries(api: SignIn) -> None:
    body = {"email": "a@example.com", "first_name": "A", "password": "password"}
    problem = refused(api().post("/auth/register", body), 422)
    told = [(fault["field"], fault["code"]) for fault in problem["errors"]]
    assert {field for field, _ in told} == {"password"}
    assert {"password_too_short", "password_too_common"} <= {code for _, code in told}


@pytest.mark.parametrize(
    ("preferences", "field"),
    [
        ({"a": "\0"}, "preferences.a"),
        ({"a": [{"b": ["x", "\0"]}]}, "preferences.a.0.b.1"),
        (["x"], "preferences"),
    ],
)
def test_the_field_is_a_dotted_path(
    api: SignIn, alice: User, preferences: object, field: str
) -> None:
    answer = api(alice).patch("/users/me", {"preferences": preferences})
    assert [fault["field"] for fault in refused(answer, 422)["errors"]] == [field]


@pytest.mark.parametrize("content", [b"[]", b"null", b'"x"', b"7", b"true"])
def test_a_body_that_is_no_object_has_no_field_to_name(
    api: SignIn, content: bytes
) -> None:
    answer = api().call("POST", "/auth/login", content=content, headers=JSON)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [None]


# --- Wrong or missing credentials, and rights --------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a b",
        "Basic YWxpY2U6eA==",
        "Token x",
        "Bearer " + "x" * 20_000,
        "Bearer é",
    ],
)
def test_a_bad_credential_is_401_and_says_how_to_do_better(
    api: SignIn, header: str | None
) -> None:
    """Checks 57."""
    headers = [] if header is None else [("Authorization", header.encode("latin-1"))]
    answer = api().application.request("GET", "/api/v1/users/me", headers=headers)
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "body"),
    [("/auth/login", WRONG), ("/auth/refresh", {"refresh_token": "x.y.z"})],
)
def test_calls_open_to_anyone_refuse_credentials_with_401_as_well(
    api: SignIn, path: str, body: object
) -> None:
    """DRF makes it 403 where a view has no authenticators (checks 21)."""
    answer = api().post(path, body)
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("place", ["/users", f"/users/{UUID(int=7)}"])
def test_a_known_caller_without_the_right_is_403_and_on_record(
    api: SignIn, alice: User, place: str
) -> None:
    refused(api(alice).get(place), 403, "permission_denied")
    event = Event.objects.get(action="access.denied")
    assert (event.actor_id, event.data["path"]) == (alice.pk, f"/api/v1{place}")


# --- Addresses and methods ---------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/users/me",
        "/api/v1/nowhere",
        "/API/V1/users/me",
        "/api/v1/users/me/",
        "/api/v1//users/me",
        "/api/v1/users/me%00",
        "/api/v1/users/me%0a",
        "/.env",
        "/.git/config",
        "/manage.py",
        "/db.sqlite3",
        "/static/",
        "/static/none.css",
        "/static/../config/settings.py",
        "/static/%2e%2e/config/settings.py",
        "/static/..%2fconfig/settings.py",
        "/static/%00",
        "/static/pages",
        "/docs/",
        "/docs/nothing",
        "/health/",
        "/health/x",
        "/metrics",
    ],
)
def test_an_unknown_address_is_404(api: SignIn, alice: User, path: str) -> None:
    """Checks 181, 205."""
    refused(api(alice).get(path, raw=True), 404, "not_found")


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/register/", "/sessions/me/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_slash_too_many_is_404_and_no_redirect_that_drops_the_body(
    api: SignIn, alice: User, path: str, method: str
) -> None:
    """Checks 182."""
    body = {"email": "alice@example.com", "password": PASSWORD}
    refused(api().call(method, path, body), 404, "not_found")
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "segment",
    [
        "abc",
        "0",
        "%00",
        "..%2f..",
        "x" * 10_000,
        "%7b01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60%7d",
        "urn:uuid:01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
        "01936F2E-7C1A-7B3E-9F52-3C1D5A8E4B60",
        "01936f2e7c1a7b3e9f523c1d5a8e4b60",
        "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60%0a",
        "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60%00",
        "%ff%fe",
        "%ed%a0%80",
        "%e2%80%ae",
        "' OR 1=1 --",
    ],
)
@pytest.mark.parametrize("place", ["users", "sessions"])
def test_an_id_is_a_uuid_in_its_one_form(
    api: SignIn, root: User, place: str, segment: str
) -> None:
    """Checks 152."""
    refused(api(root).delete(f"/{place}/{segment}"), 404, "not_found")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/auth/login", {"POST", "OPTIONS"}),
        ("/api/v1/users/me/export", {"GET", "HEAD", "OPTIONS"}),
        ("/api/v1/openapi.json", {"GET", "HEAD"}),
        ("/", {"GET", "HEAD"}),
        ("/docs", {"GET", "HEAD"}),
        ("/redoc", {"GET", "HEAD"}),
        ("/docs/errors", {"GET", "HEAD"}),
        ("/health", {"GET", "HEAD"}),
        ("/health/live", {"GET", "HEAD"}),
        ("/health/ready", {"GET", "HEAD"}),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "FOO"])
def test_a_method_that_is_not_served_is_405_and_names_those_that_are(
    api: SignIn, alice: User, path: str, allowed: set[str], method: str
) -> None:
    """Checks 168; RFC 9110 §15.5.6."""
    answer = api(alice).call(method, path, raw=True)
    refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


STYLES = "/static/pages/pages.css"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "FOO"])
def test_static_files_are_only_read(api: SignIn, method: str) -> None:
    answer = api().call(method, STYLES, raw=True)
    refused(answer, 405 if answer.status_code == 405 else 404)


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=9-1", "bytes=x", "x"])
def test_a_range_beyond_the_file_is_no_fault_or_a_clean_one(
    api: SignIn, wanted: str
) -> None:
    answer = api().get(STYLES, raw=True, headers={"Range": wanted})
    if answer.status_code not in {200, 206}:
        refused(answer, answer.status_code)


def test_options_tells_nothing_of_the_fields(api: SignIn, alice: User) -> None:
    """Checks 187."""
    refused(api().call("OPTIONS", "/users/me"), 401)
    answer = api(alice).call("OPTIONS", "/users/me")
    refused(answer, 405)
    assert "first_name" not in answer.text


@pytest.mark.parametrize(
    "path", ["/auth/logout", "/auth/logout-all", "/sessions/me/others", "/auth/login"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_never_does_anything(
    api: SignIn, alice: User, path: str, method: str
) -> None:
    client = api(alice)
    api(alice)
    assert client.call(method, path).status_code == 405
    assert Session.objects.active().count() == 2


def test_head_is_as_get(api: SignIn, alice: User) -> None:
    client = api(alice)
    head, get = client.call("HEAD", "/users/me"), client.get("/users/me")
    assert head.status_code == get.status_code == 200
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?_method=DELETE", {}),
        ("?method=DELETE", {}),
        ("", {"X-HTTP-Method-Override": "DELETE"}),
        ("", {"X-HTTP-Method": "DELETE"}),
        ("", {"X-Method-Override": "DELETE"}),
    ],
)
def test_a_method_cannot_be_overridden(
    api: SignIn, alice: User, query: str, headers: dict[str, str]
) -> None:
    client = api(alice)
    path = f"/sessions/{client.session.pk}{query}"
    refused(client.post(path, {"_method": "DELETE"}, headers=headers), 405)
    assert client.session.is_active


# --- Faults below ------------------------------------------------------------------

BELOW = [
    (IntegrityError, 409, "conflict"),
    (OperationalError, 503, "unavailable"),
    (InterfaceError, 503, "unavailable"),
    (DataError, 400, "malformed_request"),
    (ProgrammingError, 500, "internal_error"),
    (InternalError, 500, "internal_error"),
    (DatabaseError, 500, "internal_error"),
    (RuntimeError, 500, "internal_error"),
    (RecursionError, 500, "internal_error"),
    (UnicodeDecodeError, 500, "internal_error"),
]


def breaking(fault: type[Exception], statement: str) -> Callable[..., Any]:
    """What the database answers to statements that begin so."""

    def wrapped(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith(statement):
            _fail(fault)
        return execute(sql, *arguments)

    return wrapped


def _fail(fault: type[Exception]) -> NoReturn:
    words = "secret words of the inside"
    if fault is UnicodeDecodeError:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, words)
    raise fault(words)


@pytest.mark.parametrize(("fault", "status", "code"), BELOW)
def test_a_fault_of_the_database_tells_nothing_of_itself(
    api: SignIn, alice: User, fault: type[Exception], status: int, code: str
) -> None:
    """Checks 209, 248. The next call is served."""
    client = api(alice)
    with connection.execute_wrapper(breaking(fault, "SELECT")):
        answer = client.get("/users/me")
    refused(answer, status, code)
    assert "secret words" not in answer.text + str(answer.headers)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert client.get("/users/me").status_code == 200


@pytest.mark.parametrize(("fault", "status", "code"), BELOW)
def test_a_fault_in_the_middle_leaves_all_as_it_was(
    api: SignIn, alice: User, fault: type[Exception], status: int, code: str
) -> None:
    """Checks 244: the profile is written, its event cannot be."""
    client = api(alice)
    events = Event.objects.count()
    with connection.execute_wrapper(breaking(fault, 'INSERT INTO "audit_event"')):
        refused(client.patch("/users/me", {"first_name": "Alicia"}), status, code)
    alice.refresh_from_db()
    assert (alice.first_name, Event.objects.count()) == ("Alice", events)


SQLSTATES: list[tuple[type[psycopg.Error], int]] = [
    (pg.DeadlockDetected, 503),
    (pg.SerializationFailure, 503),
    (pg.LockNotAvailable, 503),
    (pg.QueryCanceled, 503),
    (pg.AdminShutdown, 503),
    (pg.CrashShutdown, 503),
    (pg.CannotConnectNow, 503),
    (pg.TooManyConnections, 503),
    (pg.DiskFull, 503),
    (pg.ConnectionTimeout, 503),
    (pg.IdleInTransactionSessionTimeout, 503),
    (pg.ReadOnlySqlTransaction, 503),
    (psycopg.InterfaceError, 503),
    (pg.UniqueViolation, 409),
    (pg.ForeignKeyViolation, 409),
    (pg.CheckViolation, 409),
    (pg.NotNullViolation, 409),
    (pg.NumericValueOutOfRange, 400),
    (pg.StringDataRightTruncation, 400),
    (pg.CharacterNotInRepertoire, 400),
    (pg.InvalidTextRepresentation, 400),
    (pg.UndefinedTable, 500),
    (pg.SyntaxError, 500),
]


@pytest.mark.parametrize(("state", "status"), SQLSTATES)
def test_what_postgresql_reports_has_a_meaning(
    state: type[psycopg.Error], status: int
) -> None:
    """Checks 248: what passes by itself is 503, what is wrong with us alone 500."""
    postgresql = SimpleNamespace(Database=psycopg, errors_occurred=False)
    with pytest.raises(Error) as raised, DatabaseErrorWrapper(postgresql):
        raise state("secret words of the inside")
    problem = translate(raised.value) or errors.InternalError()
    assert problem.status == status


def test_a_busy_service_says_when_to_come_again(api: SignIn, alice: User) -> None:
    client = api(alice)
    with connection.execute_wrapper(breaking(OperationalError, "SELECT")):
        answer = client.get("/users/me")
    assert re.fullmatch(r"[1-9]\d*", answer.headers["Retry-After"])


# --- The codes ---------------------------------------------------------------------

# Clients decide by these: a change here breaks them.
CODES = {
    "body_too_large": 413,
    "conflict": 409,
    "csrf_failed": 403,
    "foreign_session": 403,
    "headers_too_large": 431,
    "host_not_allowed": 400,
    "https_required": 403,
    "internal_error": 500,
    "invalid_credentials": 401,
    "last_owner": 409,
    "last_superuser": 409,
    "malformed_request": 400,
    "method_not_allowed": 405,
    "not_authenticated": 401,
    "not_found": 404,
    "own_account": 403,
    "permission_denied": 403,
    "refresh_token_reused": 401,
    "registration_refused": 400,
    "request_timeout": 408,
    "session_ended": 401,
    "token_invalid": 401,
    "too_many_attempts": 429,
    "too_many_requests": 429,
    "unavailable": 503,
    "unsupported_media_type": 415,
    "validation_failed": 422,
    "wrong_password": 403,
}


def test_codes_and_their_statuses_stay() -> None:
    found = {reason.code: reason.status for reason in errors.catalogue()}
    assert {code: found.get(code) for code in CODES} == CODES


def test_codes_are_words_and_messages_are_sentences() -> None:
    for reason in errors.catalogue():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.code)
        assert reason.message[0].isupper()
        assert reason.message.endswith(".")
        assert 400 <= reason.status <= 599


def test_no_two_reasons_share_a_code() -> None:
    def below(reason: type[errors.DomainError]) -> list[type[errors.DomainError]]:
        own = reason.__subclasses__()
        return own + [deeper for inner in own for deeper in below(inner)]

    codes = [reason.code for reason in below(errors.DomainError)]
    assert sorted(codes) == [reason.code for reason in errors.catalogue()]


def test_a_refusal_is_ascii_json_whatever_it_repeats(api: SignIn, alice: User) -> None:
    """No reader can mistake its encoding, nor a script tag in it."""
    answer = api(alice).patch("/users/me", {"locale": "</script>\u2028é"})
    refused(answer, 422)
    assert json.loads(answer.content)["errors"][0]["field"] == "locale"
    assert "</script>" not in answer.text
