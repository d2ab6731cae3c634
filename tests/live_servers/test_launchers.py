"""`manage.py serve`, gunicorn with our worker and plain uvicorn are one service."""

import re
from uuid import UUID, uuid4

import pytest

from tests import servers
from tests.live_servers.calls import (
    Answer,
    Call,
    answer_on,
    at_once,
    credentials,
    register,
    sent,
    sign_in,
)
from tests.live_servers.conftest import Launched

# Of one moment or one server, by their nature.
PASSING = {"date", "expires", "server", "x-request-id"}
REQUEST_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z")

WAYS = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("POST", "/health/live"),
    ("GET", "/docs"),
    ("GET", "/redoc"),
    ("GET", "/docs/errors"),
    ("GET", "/admin"),
    ("GET", "/admin/"),
    ("GET", "/nothing"),
    ("GET", "/static/../settings.py"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/users/me"),
    ("PUT", "/api/v1/users/me"),
    ("TRACE", "/api/v1/users/me"),
    ("OPTIONS", "/api/v1/users/me"),
    ("GET", "/api/v1/users/me/"),
    ("GET", "/api/v1/users?search=%00"),
    ("POST", "/api/v1/auth/login"),
]
# What clients say of themselves and where they come from.
CLAIMS = [
    {"X-Forwarded-For": "203.0.113.{}"},
    {"X-Forwarded-For": "203.0.113.{}:4711"},
    {"X-Forwarded-For": "[2001:db8:{}::1]:4711"},
    {"X-Forwarded-For": "10.0.0.1, 203.0.113.{}"},
    {"X-Forwarded-For": "203.0.113.{}, 127.0.0.1"},
    {"X-Real-IP": "203.0.113.{}"},
    {"Forwarded": "for=203.0.113.{}"},
    {"CF-Connecting-IP": "203.0.113.{}"},
    {"True-Client-IP": "203.0.113.{}"},
]


def claim(headers: dict[str, str], number: int) -> dict[str, str]:
    return {name: value.format(number) for name, value in headers.items()}


def knock(server: str, method: str, path: str, **headers: str) -> Answer:
    """Unlike a `Call`, of any path and without a body."""
    with sent([Call(server, "GET", "/health/live")]) as [line]:
        answer_on(line)
        line.request(method, path, headers=headers)
        return answer_on(line)


def lasting(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """What must not depend on the moment, nor on who started the server."""
    headers = {k: v for k, v in answer.headers.items() if k not in PASSING}
    # The order of directives means nothing, and differs between processes.
    directives = headers.get("content-security-policy", "").split("; ")
    headers["content-security-policy"] = "; ".join(sorted(directives))
    body = MOMENT.sub(b"moment", REQUEST_ID.sub(b"id", answer.body))
    return answer.status, headers, body


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_every_launcher_answers_the_same(
    every_launched: dict[str, Launched], method: str, path: str
) -> None:
    answers = [knock(s.url, method, path) for s in every_launched.values()]
    serve, gunicorn, uvicorn = (lasting(answer) for answer in answers)
    assert serve == gunicorn == uvicorn
    # uvicorn's own command line decides; ours never names the server (checks 185).
    named = [answer.headers.get("server") for answer in answers]
    assert named == [None, None, "uvicorn"]


def test_an_answer_has_the_request_id_that_was_sent(launched: Launched) -> None:
    wanted = str(uuid4())
    answer = knock(launched.url, "GET", "/api/v1/users/me", **{"X-Request-ID": wanted})
    assert answer.headers["x-request-id"] == wanted
    assert answer.json["instance"] == f"urn:uuid:{wanted}"


def test_an_answer_has_a_request_id_of_its_own_where_none_was_sent(
    launched: Launched,
) -> None:
    answers = [
        knock(launched.url, "GET", path, **headers)
        for path in ("/api/v1/users/me", "/health/live", "/nothing", "/docs")
        for headers in ({}, {"X-Request-ID": "not-one"})
    ]
    ids = {UUID(answer.headers["x-request-id"]) for answer in answers}
    assert len(ids) == len(answers)


def test_request_ids_do_not_mix_between_requests_at_once(launched: Launched) -> None:
    wanted = [str(uuid4()) for _ in range(50)]
    calls = [
        Call(launched.url, "GET", "/users/me", headers={"X-Request-ID": request_id})
        for request_id in wanted
    ]
    answers = at_once(calls)
    assert [answer.headers["x-request-id"] for answer in answers] == wanted
    instances = [f"urn:uuid:{request_id}" for request_id in wanted]
    assert [answer.json["instance"] for answer in answers] == instances


@pytest.mark.parametrize("headers", CLAIMS, ids=lambda h: "-".join(*h.items()))
def test_no_header_moves_the_address_that_is_stored(
    launched: Launched, headers: dict[str, str]
) -> None:
    person = register(launched.url)
    body, claimed = credentials(person.email), claim(headers, 9)
    login = Call(launched.url, "POST", "/auth/login", body, headers=claimed)
    assert at_once([login])[0].status == 200
    [(session, event)] = servers.rows(launched.database, ADDRESSES, person.email)
    assert (str(session), str(event)) == ("127.0.0.1", "127.0.0.1")


ADDRESSES = """
    SELECT s.ip_address, e.address FROM sessions_app_session s
    JOIN accounts_user u ON u.id = s.user_id JOIN audit_event e ON e.target_id = s.id
    WHERE u.email = ?
"""


@pytest.mark.parametrize("headers", CLAIMS, ids=lambda h: "-".join(*h.items()))
def test_no_header_moves_a_limit(launched: Launched, headers: dict[str, str]) -> None:
    answers = at_once(
        [
            Call(
                launched.url, "POST", "/auth/refresh", {}, headers=claim(headers, number)
            )
            for number in range(1, 9)
        ]
    )
    statuses = [answer.status for answer in answers]
    assert (statuses.count(422), statuses.count(429)) == (5, 3)


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "wss", "gopher"])
def test_no_header_makes_plain_http_secure(launched: Launched, scheme: str) -> None:
    claimed = {"X-Forwarded-Proto": scheme}
    answer = knock(launched.url, "GET", "/api/v1/users/me", **claimed)
    assert "strict-transport-security" not in answer.headers
    assert lasting(answer) == lasting(knock(launched.url, "GET", "/api/v1/users/me"))


def test_a_device_signed_in_at_one_launcher_is_signed_in_at_all(
    every_launched: dict[str, Launched],
) -> None:
    first, *others = every_launched.values()
    token = sign_in(first.url, register(first.url)).access
    bearer = {"Authorization": f"Bearer {token}"}
    for other in others:
        answer = knock(other.url, "GET", "/api/v1/users/me", **bearer)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
