"""Sockets behind proxies, and in production."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.live_servers import sockets
from tests.live_servers.calls import (
    Pair,
    credentials,
    new_email,
    register,
    registration,
    sign_in,
)
from tests.live_servers.sockets import Process, answer, head, plug, raw, serving

HOST = "api.example.com"
ORIGIN = f"https://{HOST}"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "ALLOWED_HOSTS": HOST,
    "PUBLIC_URL": ORIGIN,
    "FRONTEND_URL": "https://app.example.com",
    "BACKEND_CORS_ORIGINS": "https://app.example.com",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "ALLOW_SQLITE": "true",
    "TRUSTED_PROXY_COUNT": "1",
    "SECRET_KEY": secrets.token_hex(32),
    "SOCKETS_PER_ADDRESS": "3",
    "MAIL_DELIVERY": "worker",
    "RATELIMIT_ENABLE": "true",
    "ARGON2_MEMORY_KIB": "19456",
    "ARGON2_PASSES": "2",
}
SECURE = ("X-Forwarded-Proto", "https")


@pytest.fixture(scope="module")
def production(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("logs")
    with serving(live_database, folder, **PRODUCTION) as at:
        yield at
        assert sockets.errors(at.log) == []


@pytest.fixture(scope="module")
def token(production: Process) -> str:
    import httpx

    email = new_email()
    headers = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    with httpx.Client(base_url=f"{production.url}/api/v1", headers=headers) as client:
        made = client.post("/auth/register", json=registration(email))
        assert made.status_code == 201, made.text
        found = client.post("/auth/login", json=credentials(email)).json()
    return Pair(found["access_token"], found["refresh_token"]).access


def hello(token: str, *more: tuple[str, str], origin: str = ORIGIN) -> bytes:
    fields = [("Host", HOST), ("Origin", origin), *more]
    return head("http://nowhere", token, *fields, without=["Host", "Origin"])


@pytest.mark.parametrize(
    "more",
    [
        [],
        [("X-Forwarded-Proto", "http")],
        [("X-Forwarded-Proto", "https, http")],
        [("X-Forwarded-Proto", "wss")],
        [("X-Forwarded-Ssl", "on")],
        [("Forwarded", "proto=https")],
    ],
)
def test_a_plain_socket_is_refused_in_production(
    production: Process, token: str, more: list[tuple[str, str]]
) -> None:
    found = answer(production.url, hello(token, *more))
    assert (found.status, found.code) == (403, "https_required")


def test_a_socket_behind_a_proxy_with_tls_opens(production: Process, token: str) -> None:
    for origin in (ORIGIN, "https://app.example.com"):
        with closing(plug(production.url)) as line:
            line.sendall(hello(token, SECURE, origin=origin))
            wire = sockets.Raw(line)
            assert wire.status() == 101
            wire.told("ready")


@pytest.mark.parametrize(
    "origin", [f"http://{HOST}", "https://app.example.com.evil.io", "null", "https://x"]
)
def test_other_origins_are_refused_in_production(
    production: Process, token: str, origin: str
) -> None:
    found = answer(production.url, hello(token, SECURE, origin=origin))
    assert (found.status, found.code) == (403, "origin_not_allowed")
    assert "strict-transport-security" in found.headers


def test_other_hosts_are_refused_in_production(production: Process, token: str) -> None:
    asked = hello(token, SECURE).replace(HOST.encode(), b"evil.io", 1)
    assert answer(production.url, asked).code == "host_not_allowed"


def test_an_address_is_what_the_proxy_says(production: Process, token: str) -> None:
    """The last entry alone: what stands before it is the client's own claim."""
    with ExitStack() as stack:
        for number in range(5):
            line = stack.enter_context(closing(plug(production.url)))
            claim = ("X-Forwarded-For", f"198.51.100.{number}, 203.0.113.7")
            line.sendall(hello(token, SECURE, claim))
            wire = sockets.Raw(line)
            assert wire.status() == 101
            if number < 3:
                wire.told("ready")
            else:
                assert wire.closed() == 4429
        line = stack.enter_context(closing(plug(production.url)))
        line.sendall(hello(token, SECURE, ("X-Forwarded-For", "203.0.113.8")))
        other = sockets.Raw(line)
        assert other.status() == 101
        other.told("ready")


def test_without_a_proxy_no_header_moves_the_address(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    with (
        serving(live_database, folder, SOCKETS_PER_ADDRESS="2") as at,
        ExitStack() as stack,
    ):
        token = sign_in(at.url, register(at.url)).access
        source, claim = "127.0.0.2", ("X-Forwarded-For", "127.0.0.2")
        for _ in range(2):
            line = stack.enter_context(raw(at.url, token, claim, source=source))
            line.told("ready")
        third = stack.enter_context(raw(at.url, token, source=source))
        assert third.closed(1) == 4429
