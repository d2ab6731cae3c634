"""What holds for every request before Django sees it: ids, hosts, sizes, transport."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from config.asgi_types import Message, Receive, Scope, Send
from config.edge import Edge
from sessions_app.models import Session
from tests.client import InProcess
from tests.config.conftest import Log
from tests.config.exchanges import END, Exchange, part, scope
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
JSON = {"Content-Type": "application/json"}
ME = "/api/v1/users/me"


# --- Request ids -------------------------------------------------------------------


@pytest.mark.parametrize("shape", [str, lambda made: made.hex, lambda m: str(m).upper()])
def test_a_request_id_that_is_a_uuid_is_kept_everywhere(
    api: SignIn, alice: User, log: Log, shape: Any
) -> None:
    """In the answer, in every log line and in the event (checks 211)."""
    request_id = shape(uuid4())
    client, sent = api(), {"X-Request-ID": request_id}
    answer = client.post("/auth/login", LOGIN | {"password": "x" * 12}, headers=sent)
    assert answer.headers["X-Request-ID"] == request_id
    refused(answer, 401)
    [line] = [line for line in log.lines if line["logger"] == "edge"]
    assert (line["request_id"], line["path"]) == (request_id, "/api/v1/auth/login")
    assert Event.objects.get(action="sign_in.failed").request_id == request_id


@pytest.mark.parametrize(
    "claimed",
    [
        b"",
        b"1",
        b"x",
        b"x" * 10_000,
        b"{01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60}",
        b"urn:uuid:01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
        b"01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60x",
        b"01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60\r\nSet-Cookie: a=b",
        b"01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60\n",
        b"01936f2e-7c1a7b3e-9f523c1d5a8e4b60",
        b"0193-6f2e7c1a7b3e9f523c1d5a8e4b60",
        "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b6é".encode(),
        "\u0660".encode() * 32,
    ],
)
def test_any_other_request_id_is_replaced(api: SignIn, claimed: bytes) -> None:
    headers = [(b"X-Request-ID", claimed)]
    answer = api().application.request("GET", ME, headers=headers)
    assert UUID(answer.headers["X-Request-ID"]).version == 7
    refused(answer, 401)


def test_of_two_request_ids_neither_is_believed(api: SignIn) -> None:
    ids = [str(uuid4()), str(uuid4())]
    headers = [("X-Request-ID", request_id) for request_id in ids]
    answer = api().application.request("GET", ME, headers=headers)
    assert answer.headers["X-Request-ID"] not in ids


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health/live"),
        ("GET", "/static/pages/pages.css"),
        ("GET", "/admin/"),
        ("OPTIONS", ME),
        ("GET", "/nowhere"),
    ],
)
def test_every_answer_has_a_request_id(api: SignIn, method: str, path: str) -> None:
    answer = api().call(method, path, raw=True)
    assert len(answer.headers.get_list("X-Request-ID")) == 1


def test_a_request_is_one_line_whatever_is_in_its_address(api: SignIn, log: Log) -> None:
    """Checks 212."""
    path = "/a%0d%0a%7b%22event%22:%22forged%22%7d%1b[31m%e2%80%a8%22%7d"
    api().get(path, raw=True)
    edge = [line for line in log.lines if line["logger"] == "edge"]
    assert [(line["event"], line["status"]) for line in edge] == [("request", 404)]
    assert "\x1b" not in log.text


# --- Hosts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.io"],
        ["testserver.evil.io"],
        ["evil-testserver"],
        ["evil.io#testserver"],
        ["testserver@evil.io"],
        ["testserver", "evil.io"],
        ["evil.io", "testserver"],
        ["testserver", "testserver"],
        ["testserver,evil.io"],
        ["testserver:99999999"],
        ["testserver:65536"],
        ["testserver:-1"],
        ["testserver:x"],
        ["testserver:80:80"],
        [" "],
        [""],
        ["*"],
        ["[::1"],
        ["evil.io\r\nX-A: b"],
    ],
)
@pytest.mark.parametrize("path", [ME, "/", "/admin/login/", "/static/pages/pages.css"])
def test_a_host_that_is_not_ours_is_refused_and_not_repeated(
    api: SignIn, hosts: list[str], path: str
) -> None:
    """Checks 183."""
    headers = [("Host", host) for host in hosts]
    answer = api().application.request("GET", path, headers=headers)
    refused(answer, 400, "host_not_allowed")
    assert "evil" not in answer.text + str(answer.headers)


def test_no_host_at_all_is_refused(in_process: InProcess) -> None:
    unnamed = scope("GET", ME, headers=[(b"x-a", b"b")])
    answer = in_process.loop.run_until_complete(
        Exchange().ask(in_process.application, unnamed)
    )
    refused(answer, 400, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["testserver", "TESTSERVER", "testserver:8000", "localhost."]
)
def test_our_own_names_are_served(api: SignIn, host: str) -> None:
    refused(api().get("/users/me", headers={"Host": host}), 401)


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "evil.io", ""])
@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_a_probe_may_come_by_any_name(api: SignIn, host: str, path: str) -> None:
    answer = api().get(path, raw=True, headers={"Host": host})
    assert answer.status_code == 200
    assert "evil" not in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "Forwarded"])
def test_a_forwarded_host_is_not_listened_to(api: SignIn, header: str) -> None:
    """Checks 97: nothing is ever made of it."""
    answer = api().get("/admin/", raw=True, headers={header: "host=evil.io"})
    assert answer.status_code == 302
    assert "evil" not in answer.text + str(answer.headers)


# --- Sizes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("X-A", "x" * 30_000)], 401),
        ([("X-A", "x" * 33_000)], 431),
        ([(f"X-{number}", "x" * 100) for number in range(400)], 431),
        ([("X-A", "x")] * 9_000, 431),
        ([("X-" + "a" * 33_000, "x")], 431),
        ([("Cookie", "a=" + "x" * 33_000)], 431),
        ([("Authorization", "Bearer " + "x" * 33_000)], 431),
    ],
)
def test_headers_have_a_limit_together(
    api: SignIn, headers: list[tuple[str, str]], status: int
) -> None:
    refused(api().application.request("GET", ME, headers=headers), status)


def test_headers_that_are_refused_still_name_the_request(api: SignIn) -> None:
    large = {"X-A": "x" * 40_000, "Host": "testserver"}
    answer = api().get("/users/me", headers=large)
    refused(answer, 431, "headers_too_large")
    assert UUID(answer.headers["X-Request-ID"]).version == 7


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (["1048577"], 413),
        (["20971520"], 413),
        (["9" * 40], 413),
        (["-1"], 400),
        (["+2"], 400),
        (["0x2"], 400),
        (["1e3"], 400),
        (["2.0"], 400),
        (["x"], 400),
        ([""], 400),
        (["\u00b2"], 400),
        (["2", "2"], 400),
        (["2", "3"], 400),
        (["2,2"], 400),
    ],
)
def test_a_declared_length_is_judged_before_the_body_is_read(
    api: SignIn, length: list[str], status: int
) -> None:
    """Checks 159: not one byte of it is asked for."""
    declared = [(b"content-length", value.encode("latin-1")) for value in length]
    sent = scope("POST", "/api/v1/auth/login", *declared)
    exchange, application = Exchange(parts=[]), api().application
    answer = application.loop.run_until_complete(
        asyncio.wait_for(exchange.ask(application.application, sent), 5)
    )
    refused(answer, status, "body_too_large" if status == 413 else "malformed_request")


async def chunks(size: int) -> AsyncIterator[bytes]:
    """Without a length, in pieces of a kibibyte."""
    yield b'{"email": "alice@example.com", "password": "'
    for _ in range(size):
        yield b"x" * 1024
    yield b'"}'


def test_a_small_body_in_chunks_is_a_body(api: SignIn, alice: User) -> None:
    """Checks 161."""

    async def pieces() -> AsyncIterator[bytes]:
        for byte in json.dumps(LOGIN).encode():
            yield bytes([byte])

    answer = api().call("POST", "/auth/login", content=pieces(), headers=JSON)
    assert answer.status_code == 200
    assert Session.objects.get().user == alice


@pytest.mark.parametrize(("kibibytes", "status"), [(1, 422), (1020, 422), (1024, 413)])
def test_a_body_in_chunks_is_counted(api: SignIn, kibibytes: int, status: int) -> None:
    answer = api().call("POST", "/auth/login", content=chunks(kibibytes), headers=JSON)
    refused(answer, status)
    if status == 422:
        assert fields(answer) == ["password"]


def test_a_body_without_an_end_is_cut_off_at_the_limit(api: SignIn) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Message]:
        while True:
            taken.append(65_536)
            yield part(b"x" * 65_536)

    application = api().application
    exchange = Exchange(endless()).ask(
        application.application, scope("POST", "/api/v1/auth/login")
    )
    refused(application.loop.run_until_complete(exchange), 413, "body_too_large")
    assert sum(taken) <= 1024 * 1024 + 65_536


def test_a_body_that_is_longer_than_declared_is_counted(api: SignIn) -> None:
    """Servers cut it; the edge does not rely on that."""
    application = api().application
    sent = scope("POST", "/api/v1/auth/login", (b"content-length", b"2"))
    large = [part(b"x" * 600_000), part(b"x" * 600_000), END]
    exchange = Exchange(large).ask(application.application, sent)
    refused(application.loop.run_until_complete(exchange), 413)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/nowhere", "/admin/login/", "/static/pages/pages.css"]
)
def test_the_limit_is_the_same_everywhere(api: SignIn, path: str) -> None:
    large = b"x" * (1024 * 1024 + 1)
    refused(api().call("POST", path, content=large, raw=True), 413)


@pytest.mark.parametrize("query", [b"a=\xff", b"\xc3\xa9=1", b"a=\xed\xa0\x80"])
def test_a_query_beyond_ascii_is_malformed(in_process: InProcess, query: bytes) -> None:
    sent = scope("GET", "/api/v1/users", query_string=query)
    exchange = Exchange().ask(in_process.application, sent)
    refused(in_process.loop.run_until_complete(exchange), 400, "malformed_request")


@pytest.mark.parametrize(
    "query", ["%ff", "%00", "%", "&&&==", "a=1&" * 5_000, "%ed%a0%80"]
)
def test_a_query_nobody_reads_does_no_harm(api: SignIn, alice: User, query: str) -> None:
    answer = api(alice).get(f"/users/me?{query}&x={query}")
    assert answer.status_code == 200


# --- The guard and the deadline ----------------------------------------------------


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.Event().wait()


async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret words of the inside")


async def crashing_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await crashing(scope, receive, send)


async def test_what_escapes_everything_is_a_plain_500_with_its_traceback_in_the_log(
    log: Log,
) -> None:
    """Checks 209."""
    answer = await Exchange().ask(Edge(crashing), scope("GET", ME))
    problem = refused(answer, 500, "internal_error")
    assert "secret words" not in answer.text
    [crash] = [line for line in log.lines if line["event"] == "request_crashed"]
    assert f"urn:uuid:{crash['request_id']}" == problem["instance"]
    assert "secret words of the inside" in crash["exception"]
    [access] = [line for line in log.lines if line["event"] == "request"]
    assert (access["status"], access["request_id"]) == (500, crash["request_id"])


async def test_an_answer_already_begun_is_broken_off_and_not_completed() -> None:
    """A second beginning, or a quiet end, would make half an answer look whole."""
    exchange = Exchange()
    with pytest.raises(ConnectionAbortedError):
        await exchange.run(Edge(crashing_late), scope("GET", ME))
    assert [message["type"] for message in exchange.sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [([END], 503, "unavailable"), ([part(b"{")], 408, "request_timeout")],
)
async def test_past_the_deadline_it_is_said_whose_fault_it_was(
    settings: Settings, parts: list[Message], status: int, code: str
) -> None:
    settings.REQUEST_DEADLINE = timedelta(milliseconds=20)
    answer = await Exchange(parts).ask(Edge(never), scope("POST", ME))
    refused(answer, status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    # What may still come of the body belongs to no other request (RFC 9110 §15.5.9).
    assert (answer.headers.get("Connection") == "close") == (status == 408)


async def test_a_client_that_has_gone_gets_no_answer_and_leaves_no_crash(
    log: Log,
) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    exchange = Exchange()
    with suppress(asyncio.CancelledError):
        await exchange.run(Edge(cancelled), scope("GET", ME))
    assert exchange.sent == []
    assert [line["event"] for line in log.lines] == ["request"]


def test_sockets_are_refused_until_there_are_any(in_process: InProcess) -> None:
    exchange = Exchange([{"type": "websocket.connect"}])
    socket = scope("GET", "/ws/v1/events", type="websocket", scheme="ws")
    in_process.loop.run_until_complete(
        in_process.application(socket, exchange.receive, exchange.send)
    )
    assert [message["type"] for message in exchange.sent] == ["websocket.close"]


# --- Plain HTTP where TLS is asked for ---------------------------------------------


@pytest.fixture
def secure(settings: Settings) -> None:
    """As in production, behind one proxy that ends TLS."""
    settings.SECURE_COOKIES = True
    settings.TRUSTED_PROXY_COUNT = 1


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize(
    "path", ["/auth/login", "/users/me", "/nowhere", "/openapi.json"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_call_in_the_clear_is_refused_and_led_nowhere(
    api: SignIn, alice: User, method: str, path: str
) -> None:
    """Checks 182: a redirect would make the client send its secrets twice."""
    answer = api().call(method, path, LOGIN)
    refused(answer, 403, "https_required")
    assert "Location" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers
    assert not Session.objects.exists()


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize(
    "path", ["/", "/docs?x=1&y=%0d%0a", "/admin/", "/static/pages/pages.css", "/a%0d%0ab"]
)
def test_a_page_in_the_clear_moves(api: SignIn, path: str) -> None:
    answer = api().get(path, raw=True)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://testserver{path}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.usefixtures("secure")
def test_a_page_in_the_clear_moves_to_no_other_host(api: SignIn) -> None:
    answer = api().get("/", raw=True, headers={"Host": "evil.io"})
    refused(answer, 400, "host_not_allowed")


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize("proto", ["https", "HTTPS", " https ", "http, https"])
def test_behind_a_proxy_with_tls_all_is_well(
    api: SignIn, alice: User, proto: str
) -> None:
    answer = api(alice).get("/users/me", headers={"X-Forwarded-Proto": proto})
    assert answer.status_code == 200
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize("proto", ["gopher", "https, http", "", "https;", "httpsx"])
def test_a_strange_scheme_is_no_tls(api: SignIn, alice: User, proto: str) -> None:
    answer = api(alice).get("/users/me", headers={"X-Forwarded-Proto": proto})
    refused(answer, 403, "https_required")


@pytest.mark.usefixtures("secure")
def test_without_a_trusted_proxy_nobody_can_claim_tls(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 0
    answer = api(alice).get("/users/me", headers={"X-Forwarded-Proto": "https"})
    refused(answer, 403, "https_required")


@pytest.mark.usefixtures("secure")
@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_a_probe_comes_without_tls(api: SignIn, path: str) -> None:
    assert api().get(path, raw=True).status_code == 200


def test_where_no_tls_is_asked_for_plain_http_is_served(api: SignIn) -> None:
    refused(api().get("/users/me"), 401)
