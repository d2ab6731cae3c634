"""Who is let in, and how the others are told: before any data, and leaving nothing."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from config import policies
from config.health import Draining
from live import questions
from sessions_app import services as sessions
from sessions_app import tokens
from sessions_app.models import EndReason, Session
from sessions_app.services import Tokens, start_session
from tests.live.conftest import Live
from tests.live.listener import OWN_ORIGIN, Listener
from tests.sessions_app.forge import claims_of, forged

pytestmark = pytest.mark.django_db

ENDED, INVALID = (4401, "session_ended"), (4401, "token_invalid")


def assert_nothing_left(live: Live) -> None:
    assert not live.hub.sockets
    assert not live.hub.groups


def bearer(token: str) -> list[str]:
    return ["bearer", token]


def test_ready_says_which_session_and_until_when(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.wish(pair.access_token)
    ready = listener.next()
    claims = claims_of(pair.access_token)
    assert ready["session_id"] == claims["sid"]
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"]))
    assert (ready["type"], ready["expires_at"]) == ("ready", expires)


# --- Tokens ------------------------------------------------------------------------


def expire(pair: Tokens, seconds: int) -> str:
    return forged(pair.access_token, claims={"exp": int(time.time()) - seconds})


MAKES: dict[str, Callable[[Tokens], str | None]] = {
    "none": lambda pair: None,
    "empty": lambda pair: "",
    "garbage": lambda pair: "garbage",
    "three dots": lambda pair: "a.b.c",
    "a dot behind": lambda pair: f"{pair.access_token}.",
    "the refresh token": lambda pair: pair.refresh_token,
    "long expired": lambda pair: expire(pair, 3600),
    "expired within the leeway": lambda pair: expire(pair, 1),
    "another key": lambda pair: forged(pair.access_token, secret=b"x" * 32),
    "no algorithm": lambda pair: pair.access_token.rpartition(".")[0] + ".",
    "of a refresh in its header": lambda pair: forged(
        pair.access_token, header={"typ": "rt+jwt"}
    ),
    "another audience": lambda pair: forged(pair.access_token, claims={"aud": "you"}),
    "no session": lambda pair: forged(pair.access_token, claims={"sid": ""}),
    "three of them": lambda pair: f"{pair.access_token} {pair.access_token}",
    "not ASCII": lambda pair: "é" * 20,
}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("way", ["header", "subprotocol"])
def test_a_token_that_is_not_valid_closes_before_any_data(
    live: Live, alice: User, make: str, way: str
) -> None:
    token = MAKES[make](start_session(user=alice))
    if way == "header":
        listener = live.wish(token)
    else:
        listener = live.wish(subprotocols=["bearer"] if token is None else bearer(token))
    assert listener.end() == INVALID
    assert listener.frames == []
    assert_nothing_left(live)


def end_it(user: User, session: Session) -> None:
    sessions.end_session(session=session, by=user, reason=EndReason.LOGOUT)


def delete_it(user: User, session: Session) -> None:
    session.delete()


def shut_out(user: User, session: Session) -> None:
    User.objects.get_queryset().filter(pk=user.pk).update(is_active=False)


def delete_person(user: User, session: Session) -> None:
    now = timezone.now()
    User.objects.get_queryset().filter(pk=user.pk).update(is_active=False, deleted_at=now)


def new_epoch(user: User, session: Session) -> None:
    User.objects.get_queryset().filter(pk=user.pk).update(session_epoch=7)


def run_out(user: User, session: Session) -> None:
    Session.objects.filter(pk=session.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )


@pytest.mark.parametrize(
    "spoil", [end_it, delete_it, shut_out, delete_person, new_epoch, run_out]
)
def test_a_session_that_lets_nobody_in_closes_before_any_data(
    live: Live, alice: User, spoil: Callable[[User, Session], None]
) -> None:
    pair = start_session(user=alice)
    spoil(alice, Session.objects.get())
    listener = live.wish(pair.access_token)
    assert listener.end() == ENDED
    assert listener.frames == []
    assert_nothing_left(live)


@pytest.mark.parametrize("name", ["token", "access_token", "bearer", "authorization"])
def test_a_token_in_the_address_is_not_taken(live: Live, alice: User, name: str) -> None:
    token = start_session(user=alice).access_token
    assert live.wish(query=f"{name}={token}".encode()).end() == INVALID


@pytest.mark.parametrize(
    "value", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer\t{}", "Bearer: {}"]
)
def test_another_scheme_is_no_bearer_token(live: Live, alice: User, value: str) -> None:
    token = start_session(user=alice).access_token
    header = (b"authorization", value.format(token).encode())
    assert live.wish(headers=[header]).end() == INVALID


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_read_in_any_case(live: Live, alice: User, scheme: str) -> None:
    token = start_session(user=alice).access_token
    listener = live.wish(headers=[(b"authorization", f"{scheme} {token}".encode())])
    assert listener.next()["type"] == "ready"


def test_the_header_beats_the_subprotocol(live: Live, alice: User, bob: User) -> None:
    mine, his = start_session(user=alice), start_session(user=bob)
    listener = live.wish(mine.access_token, subprotocols=bearer(his.access_token))
    assert listener.next()["session_id"] == claims_of(mine.access_token)["sid"]
    spoiled = live.wish("garbage", subprotocols=bearer(his.access_token))
    assert spoiled.end() == INVALID


@pytest.mark.parametrize("first", ["bearer", "token"])
def test_browsers_offer_it_as_a_subprotocol_and_hear_bearer(
    live: Live, alice: User, first: str
) -> None:
    offered = bearer(start_session(user=alice).access_token)
    listener = live.wish(subprotocols=offered if first == "bearer" else offered[::-1])
    assert listener.next()["type"] == "ready"
    assert listener.accepted
    assert listener.accepted["subprotocol"] == "bearer"


def test_nothing_is_echoed_that_was_not_offered(live: Live, alice: User) -> None:
    token = start_session(user=alice).access_token
    listener = live.wish(token, subprotocols=["graphql"])
    assert listener.next()["type"] == "ready"
    assert listener.accepted
    assert listener.accepted["subprotocol"] is None
    assert live.wish(subprotocols=[token]).end() == INVALID


def test_the_answer_names_the_request(live: Live, alice: User) -> None:
    own = "0" * 32
    listener = live.open(alice, headers=[(b"x-request-id", own.encode())])
    assert listener.accepted
    assert (b"x-request-id", own.encode()) in listener.accepted["headers"]


def test_letting_in_takes_one_statement_beyond_the_limit(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    pair = start_session(user=alice)
    live.open(pair)
    with CaptureQueriesContext(connection) as statements:
        live.open(pair)
    assert len(statements) == 1, statements.captured_queries


# --- Origins and addresses ---------------------------------------------------------


def refused(listener: Listener, status: int, code: str) -> None:
    listener.end()
    assert listener.accepted is None
    assert listener.status == status
    assert listener.response_headers["content-type"] == "application/problem+json"
    body = listener.problem
    assert body["type"] == f"/docs/errors#{code}"
    assert body["instance"] == f"urn:uuid:{listener.response_headers['x-request-id']}"
    assert listener.response_headers["content-length"] == str(len(listener.body))


STRANGE_ORIGINS = [
    "",
    "null",
    "https://evil.io",
    "https://app.example.com.evil.io",
    "https://evil-app.example.com",
    "https://app.example.co",
    "https://app.example.com:8443",
    "http://app.example.com",
    "HTTPS://APP.EXAMPLE.COM",
    "https://app.example.com/",
    "https://app.example.com@evil.io",
    "https://app.example.com,https://evil.io",
    " https://app.example.com",
    "https://testserver",
    "http://testserver:81",
    "http://TESTSERVER",
    "http://testserver.evil.io",
    "ws://testserver",
    "https://api.example.com.",
    "://",
    "*",
    "é",
    "\x00",
    "https://\u0430pp.example.com".encode().decode("latin-1"),
    "x" * 8000,
]


@pytest.mark.parametrize("origin", [None, *STRANGE_ORIGINS])
def test_a_strange_origin_is_refused(live: Live, alice: User, origin: str | None) -> None:
    token = start_session(user=alice).access_token
    refused(live.wish(token, origin=origin), 403, "origin_not_allowed")
    assert_nothing_left(live)


@pytest.mark.parametrize(
    "second", ["https://app.example.com", "https://evil.io", OWN_ORIGIN]
)
def test_two_origins_are_none(live: Live, alice: User, second: str) -> None:
    token = start_session(user=alice).access_token
    listener = live.wish(token, headers=[(b"origin", second.encode())])
    refused(listener, 403, "origin_not_allowed")


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"\xc3\x28", "ünïcode".encode()])
def test_bytes_that_are_no_text_are_no_origin(
    live: Live, alice: User, junk: bytes
) -> None:
    token = start_session(user=alice).access_token
    listener = live.wish(token, origin=None, headers=[(b"origin", junk)])
    refused(listener, 403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://app.example.com", "testserver"),
        ("https://api.example.com", "testserver"),
        ("http://testserver", "testserver"),
        ("http://localhost:8000", "localhost:8000"),
    ],
)
def test_known_origins_are_let_in(
    live: Live, alice: User, origin: str, host: str
) -> None:
    live.open(alice, origin=origin, host=host)


def test_without_a_public_address_nothing_is_taken_for_it(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = ""
    token = start_session(user=alice).access_token
    refused(live.wish(token, origin="://"), 403, "origin_not_allowed")


def test_over_tls_the_own_origin_is_https(live: Live, alice: User) -> None:
    live.open(alice, scheme="wss", origin="https://testserver")
    token = start_session(user=alice).access_token
    listener = live.wish(token, scheme="wss", origin=OWN_ORIGIN)
    refused(listener, 403, "origin_not_allowed")


@pytest.mark.parametrize(
    "host", ["evil.io", "", "testserver.evil.io", "testserver:99999"]
)
def test_a_foreign_host_is_refused(live: Live, alice: User, host: str) -> None:
    token = start_session(user=alice).access_token
    refused(live.wish(token, host=host), 400, "host_not_allowed")


def test_in_production_plain_sockets_are_refused(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.SECURE_COOKIES = True
    token = start_session(user=alice).access_token
    refused(live.wish(token), 403, "https_required")
    live.open(alice, scheme="wss", origin="https://testserver")


def test_headers_beyond_the_limit_are_refused(
    live: Live, alice: User, settings: Settings
) -> None:
    token = start_session(user=alice).access_token
    large = b"x" * settings.MAX_HEADER_BYTES
    listener = live.wish(token, headers=[(b"x-large", large)])
    refused(listener, 431, "headers_too_large")


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/v1/events/", "/ws/v2/events"])
def test_another_path_is_not_found(live: Live, alice: User, path: str) -> None:
    token = start_session(user=alice).access_token
    refused(live.wish(token, path=path), 404, "not_found")


def test_health_is_no_socket(live: Live, alice: User) -> None:
    token = start_session(user=alice).access_token
    refused(live.wish(token, path="/health/ready"), 404, "not_found")


def test_a_query_that_is_not_ascii_is_malformed(live: Live, alice: User) -> None:
    token = start_session(user=alice).access_token
    refused(live.wish(token, query=b"\xff"), 400, "malformed_request")


@pytest.mark.parametrize("wish", [{"origin": "null"}, {"path": "/ws"}, {"host": "evil"}])
def test_a_server_that_cannot_answer_over_http_closes(
    live: Live, alice: User, wish: dict[str, Any]
) -> None:
    token = start_session(user=alice).access_token
    listener = live.wish(token, answers_over_http=False, **wish)
    assert listener.end() == (403, "")
    assert listener.accepted is None
    assert listener.body == b""


def test_a_process_that_is_stopping_takes_no_more(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live.open(alice)
    monkeypatch.setattr(Draining, "begun", True)
    late = live.wish(start_session(user=alice).access_token)
    refused(late, 503, "unavailable")
    assert late.response_headers["retry-after"] == "1"
    assert before.ask("ping")["type"] == "pong"


def test_a_refusal_has_the_headers_of_the_house(live: Live) -> None:
    listener = live.wish(origin="https://evil.io")
    listener.end()
    start = {"status": 403, "headers": [(b"content-type", b"application/problem+json")]}
    wanted = policies.headers_for(listener.wish.scope(), start)
    assert wanted
    for name, value in wanted:
        assert listener.response_headers[name.decode().lower()] == value.decode()
    assert "access-control-allow-origin" not in listener.response_headers


# --- How many ----------------------------------------------------------------------


def test_one_too_many_of_a_person_is_refused_and_room_comes_back(
    live: Live, alice: User, bob: User, settings: Settings
) -> None:
    settings.SOCKETS_PER_USER = 2
    pair = start_session(user=alice)
    first, _ = live.open(pair), live.open(alice)
    assert live.wish(pair.access_token).end() == (4429, "too_many_sockets")
    live.open(bob)
    first.hang_up()
    first.end()
    live.open(pair)
    assert len(live.hub.sockets) == 3


def test_one_too_many_of_an_address_is_refused(
    live: Live, alice: User, bob: User, settings: Settings
) -> None:
    settings.SOCKETS_PER_ADDRESS = 1
    live.open(alice, peer="2001:db8::1")
    neighbour = live.wish(start_session(user=bob).access_token, peer="2001:db8::2")
    assert neighbour.end() == (4429, "too_many_sockets")
    live.open(bob, peer="2001:db8:1::1")


def test_of_those_without_an_address_only_the_person_counts(
    live: Live, alice: User, bob: User, settings: Settings
) -> None:
    settings.SOCKETS_PER_ADDRESS = 1
    live.open(alice, peer="")
    live.open(bob, peer="")


def test_opening_is_limited_a_minute(live: Live, alice: User, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "live": 1}
    pair = start_session(user=alice)
    live.open(pair)
    assert live.wish(pair.access_token).end() == (4429, "too_many_requests")


def test_who_is_signed_out_uses_up_nothing_of_the_person(
    live: Live, alice: User, settings: Settings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "live": 3}
    stolen = start_session(user=alice)
    sessions.end_session(
        session=Session.objects.get(), by=alice, reason=EndReason.REVOKED
    )
    for _ in range(3):
        live.wish(stolen.access_token).end()
    assert live.wish(start_session(user=alice).access_token).next()["type"] == "ready"


# --- While it is let in ------------------------------------------------------------


def test_a_session_that_ends_while_it_enters_is_told_nothing(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = start_session(user=alice)
    session = Session.objects.get()
    confirm = questions.enter

    def enter(*args: Any) -> None:
        confirm(*args)
        live.loop.call_soon_threadsafe(
            live.hub.hear,
            {
                "id": "",
                "at": "",
                "action": "session.ended",
                "person_id": str(alice.pk),
                "organization_id": None,
                "target_id": str(session.pk),
                "data": {"reason": "logout"},
            },
        )

    monkeypatch.setattr(questions, "enter", enter)
    listener = live.wish(pair.access_token)
    assert listener.end() == ENDED
    assert listener.frames == []


def test_ready_comes_first_also_where_something_happens_meanwhile(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = questions.enter

    def enter(*args: Any) -> None:
        confirm(*args)
        event: dict[str, Any] = {"id": str(alice.pk), "at": "2026-01-01T00:00:00Z"}
        event |= {"action": "user.updated", "person_id": str(alice.pk)}
        event |= {"organization_id": None, "target_id": str(alice.pk)}
        live.loop.call_soon_threadsafe(live.hub.hear, event | {"data": {}})

    monkeypatch.setattr(questions, "enter", enter)
    listener = live.wish(start_session(user=alice).access_token)
    # What happened before it is loaded behind it.
    assert listener.next()["type"] == "ready"


def test_an_operator_ends_also_who_is_entering(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = live.hub.thread.ask
    found, given = asyncio.Event(), asyncio.Event()

    async def slow(question: Any, *args: Any) -> Any:
        answer = await ask(question, *args)
        if question is questions.enter:
            found.set()
            await given.wait()
        return answer

    monkeypatch.setattr(live.hub.thread, "ask", slow)
    listener = live.wish(start_session(user=alice).access_token)
    live.run(found.wait())
    (entering,) = live.hub.sockets
    with live.capture(execute=True):
        sessions.end_everybodys_sessions()
    live.run(asyncio.wait([entering.ended]))
    given.set()
    live.settle()
    assert not listener.is_open


def test_a_socket_ends_with_its_access_token(
    live: Live, alice: User, own_clock: None, settings: Settings
) -> None:
    settings.ACCESS_TOKEN_LIFETIME = timedelta(seconds=2)
    listener = live.open(alice)
    assert listener.end() == INVALID
    assert_nothing_left(live)


def test_the_token_is_read_with_the_clock_of_the_server(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    late = claims_of(pair.access_token)["exp"] + 1
    with time_machine.travel(late, tick=True):
        assert live.wish(pair.access_token).end() == INVALID


def test_an_access_token_is_another_kind_than_it_says(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    token = forged(pair.access_token, claims={"token_type": tokens.REFRESH})
    assert live.wish(token).end() == INVALID
