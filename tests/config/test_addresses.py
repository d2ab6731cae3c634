"""Where a request comes from: what our own proxies say, and nobody else."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from django.core import signals
from django.db import close_old_connections
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from config.addresses import bucket, client_address, client_scheme, undo_forwarding
from config.edge import UNTOUCHED
from sessions_app.models import Session
from tests.client import PEER, Api
from tests.config.exchanges import END, Exchange, part, scope
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
CLAIM = "203.0.113.9"
CLAIMS = {
    "X-Forwarded-For": CLAIM,
    "X-Real-IP": CLAIM,
    "Forwarded": f"for={CLAIM}",
    "CF-Connecting-IP": CLAIM,
    "True-Client-IP": CLAIM,
    "X-Client-IP": CLAIM,
    "X-Cluster-Client-IP": CLAIM,
    "Fastly-Client-IP": CLAIM,
}


# --- The rule ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded_for", "trusted", "address"),
    [
        ("203.0.113.9", 0, "192.0.2.1"),
        ("203.0.113.9, 203.0.113.8", 0, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
        (",", 1, "192.0.2.1"),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("10.0.0.1, 203.0.113.9", 1, "203.0.113.9"),
        ("garbage, 203.0.113.9", 1, "203.0.113.9"),
        ("203.0.113.9, garbage", 1, "192.0.2.1"),
        ("203.0.113.9,", 1, "203.0.113.9"),
        ("203.0.113.9:4711", 1, "203.0.113.9"),
        ("203.0.113.9:x", 1, "203.0.113.9"),
        ("[2001:db8::9]:4711", 1, "2001:db8::9"),
        ("[2001:db8::9]", 1, "2001:db8::9"),
        ("2001:DB8::9", 1, "2001:db8::9"),
        ("2001:0db8:0000::0009", 1, "2001:db8::9"),
        ("fe80::1%eth0", 1, "fe80::1"),
        ("::ffff:203.0.113.9", 1, "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", 1, "203.0.113.9"),
        ("::ffff:cb00:7109", 1, "203.0.113.9"),
        ("unknown", 1, "192.0.2.1"),
        ("_hidden", 1, "192.0.2.1"),
        ('"203.0.113.9"', 1, "192.0.2.1"),
        ("for=203.0.113.9", 1, "192.0.2.1"),
        ("203.0.113", 1, "192.0.2.1"),
        ("203.0.113.999", 1, "192.0.2.1"),
        ("0xcb.0.113.9", 1, "192.0.2.1"),
        ("203.0.113.009", 1, "192.0.2.1"),
        ("3405803785", 1, "192.0.2.1"),
        ("203.0.113.9/32", 1, "192.0.2.1"),
        ("[2001:db8::9", 1, "2001:db8::9"),
        ("[]", 1, "192.0.2.1"),
        (":", 1, "192.0.2.1"),
        ("::", 1, "::"),
        ("evil.io", 1, "192.0.2.1"),
        ("\u00b2.\u00b2.\u00b2.\u00b2", 1, "192.0.2.1"),
        ("9" * 5_000, 1, "192.0.2.1"),
        ("203.0.113.9", 2, "192.0.2.1"),
        ("203.0.113.9, 10.0.0.1", 2, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.1", 2, "203.0.113.9"),
        ("203.0.113.9, garbage", 2, "203.0.113.9"),
        ("garbage, 10.0.0.1", 2, "192.0.2.1"),
        (", ".join(["6.6.6.6"] * 1_000 + ["203.0.113.9"]), 1, "203.0.113.9"),
    ],
)
def test_only_entries_of_our_own_proxies_count(
    forwarded_for: str, trusted: int, address: str
) -> None:
    """Checks 191."""
    assert client_address("192.0.2.1", forwarded_for, trusted) == address


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("fe80::1%3", "fe80::1"),
        ("", ""),
        ("/run/app.sock", ""),
        ("unix:", ""),
        ("testclient", ""),
    ],
)
def test_a_peer_has_an_address_or_none(peer: str, address: str) -> None:
    assert client_address(peer, "", 0) == client_address(peer, "garbage", 1) == address


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_a_subscriber_has_one_bucket(address: str, counted: str) -> None:
    """Checks 194."""
    assert bucket(address) == counted


@pytest.mark.parametrize(
    ("proto", "trusted", "scheme"),
    [
        ("https", 0, "http"),
        ("", 1, "http"),
        ("https", 1, "https"),
        ("HTTPS", 1, "https"),
        ("https, http", 1, "http"),
        ("http, https", 1, "https"),
        ("gopher", 1, "http"),
        ("wss", 1, "http"),
        (",", 1, "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(
    proto: str, trusted: int, scheme: str
) -> None:
    assert client_scheme("http", proto, trusted) == scheme


@pytest.mark.parametrize("proto", ["http", "gopher", ""])
def test_tls_that_ends_here_is_not_talked_away_without_a_proxy(proto: str) -> None:
    assert client_scheme("https", proto, 0) == "https"


@pytest.mark.parametrize(
    ("client", "forwarded_for", "peer"),
    [
        ("203.0.113.9", "203.0.113.9", "127.0.0.1"),
        ("203.0.113.9", "203.0.113.9:4711", "127.0.0.1"),
        ("203.0.113.9", "6.6.6.6, 203.0.113.9", "127.0.0.1"),
        ("2001:db8::9", "[2001:DB8::9]:4711", "127.0.0.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("192.0.2.1", "", "192.0.2.1"),
        ("", "", ""),
        ("", "garbage", ""),
    ],
)
def test_what_a_server_believed_too_early_is_taken_back(
    client: str, forwarded_for: str, peer: str
) -> None:
    assert undo_forwarding(client, forwarded_for) == peer


# --- What is stored and counted by it ----------------------------------------------


def signed_in_from(
    client: Api, headers: dict[str, str] | list[tuple[str, str]], peer: str = PEER
) -> str | None:
    """The address stored with a new session, and with its event."""
    answer = client.application.request(
        "POST", "/api/v1/auth/login", peer=peer, json=LOGIN, headers=headers
    )
    assert answer.status_code == 200
    session = Session.objects.latest("pk")
    event = Event.objects.get(action="session.started", target_id=session.pk)
    assert event.address == session.ip_address
    return session.ip_address


@pytest.mark.django_db
@pytest.mark.parametrize("name", CLAIMS)
def test_without_a_trusted_proxy_no_header_moves_the_address(
    api: SignIn, alice: User, name: str
) -> None:
    """Checks 189."""
    assert signed_in_from(api(), {name: CLAIMS[name]}) == PEER


@pytest.mark.django_db
def test_without_a_trusted_proxy_no_header_moves_a_limit(
    api: SignIn, settings: Settings
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"register": 3}
    statuses = []
    for number in range(5):
        claims = dict.fromkeys(CLAIMS, f"203.0.113.{number}")
        answer = api().post("/auth/register", {}, headers=claims)
        statuses.append(answer.status_code)
    assert statuses == [422] * 3 + [429] * 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("trusted", "hops", "address"),
    [
        (1, ["203.0.113.9"], "203.0.113.9"),
        (1, ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (1, ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (1, ["[2001:db8::9]:4711"], "2001:db8::9"),
        (1, ["::ffff:203.0.113.9"], "203.0.113.9"),
        (1, ["garbage"], PEER),
        (1, ["\x00"], PEER),
        (1, [], PEER),
        (2, ["203.0.113.9"], PEER),
        (2, ["6.6.6.6, 203.0.113.9", "10.0.0.1"], "203.0.113.9"),
    ],
)
def test_the_address_of_a_session_is_what_the_last_trusted_proxy_saw(
    api: SignIn,
    alice: User,
    settings: Settings,
    trusted: int,
    hops: list[str],
    address: str,
) -> None:
    settings.TRUSTED_PROXY_COUNT = trusted
    headers = [("X-Forwarded-For", hop) for hop in hops]
    assert signed_in_from(api(), headers) == address


@pytest.mark.django_db
def test_behind_a_proxy_each_client_has_a_limit_of_its_own(
    api: SignIn, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"register": 1}

    def register(forwarded_for: str) -> int:
        headers = {"X-Forwarded-For": forwarded_for}
        return api().post("/auth/register", {}, headers=headers).status_code

    assert [register(CLAIM), register(CLAIM)] == [422, 429]
    assert register(f"6.6.6.6, {CLAIM}") == register(f"{CLAIM}:99") == 429
    assert register(f"{CLAIM}, 203.0.113.10") == 422


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 422),
        ("198.51.100.7", "::ffff:198.51.100.7", 429),
        ("198.51.100.7", "198.51.100.8", 422),
    ],
)
def test_a_limit_counts_a_subscriber(
    api: SignIn, settings: Settings, first: str, second: str, status: int
) -> None:
    """Checks 194."""
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"register": 1}
    assert api().post("/auth/register", {}, peer=first).status_code == 422
    assert api().post("/auth/register", {}, peer=second).status_code == status


# --- Peers without an address ------------------------------------------------------


def by_hand(caller: Api, path: str, body: object, **more: Any) -> httpx.Response:
    sent = scope("POST", path, (b"content-type", b"application/json"), **more)
    parts = [part(json.dumps(body).encode()), END]
    exchange = Exchange(parts).ask(caller.application.application, sent)
    # As InProcess.request does: they would close the connection that is shared.
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    return caller.application.loop.run_until_complete(asyncio.wait_for(exchange, 10))


@pytest.mark.django_db
@pytest.mark.parametrize("peer", [None, ("", 0), ("/run/app.sock", 0), ["", 0]])
def test_over_a_unix_socket_people_sign_in(
    api: SignIn, alice: User, peer: object
) -> None:
    """Checks 192."""
    answer = by_hand(api(), "/api/v1/auth/login", LOGIN, client=peer)
    assert answer.status_code == 200
    assert Session.objects.get().ip_address is None
    assert Event.objects.get(action="session.started").address is None


@pytest.mark.django_db
def test_over_a_unix_socket_limits_hold(api: SignIn, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"register": 2}
    answers = [by_hand(api(), "/api/v1/auth/register", {}, client=None) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]
    refused(answers[-1], 429, "too_many_requests")


@pytest.mark.django_db
def test_over_a_unix_socket_the_proxy_in_front_is_believed(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    headers = [
        (b"host", b"testserver"),
        (b"content-type", b"application/json"),
        (b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"),
    ]
    more = {"client": None, "headers": headers}
    assert by_hand(api(), "/api/v1/auth/login", LOGIN, **more).status_code == 200
    assert Session.objects.get().ip_address == "203.0.113.9"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "address"), [({UNTOUCHED: True}, PEER), ({}, "127.0.0.1")]
)
def test_who_claims_the_peers_own_address_is_told_apart_by_our_server(
    api: SignIn, alice: User, state: dict[str, bool], address: str
) -> None:
    """Plain uvicorn puts the claim of a loopback peer in the place of the peer."""
    headers = [
        (b"host", b"testserver"),
        (b"content-type", b"application/json"),
        (b"x-forwarded-for", PEER.encode()),
    ]
    more = {"state": state, "headers": headers}
    assert by_hand(api(), "/api/v1/auth/login", LOGIN, **more).status_code == 200
    assert Session.objects.get().ip_address == address


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "secure"), [({UNTOUCHED: True}, True), ({}, False)])
def test_a_claim_of_tls_is_taken_back_where_a_server_believed_it(
    api: SignIn, state: dict[str, bool], secure: bool
) -> None:
    headers = [(b"host", b"testserver"), (b"x-forwarded-proto", b"https")]
    more = {"state": state, "headers": headers, "scheme": "https"}
    answer = by_hand(api(), "/api/v1/nowhere", {}, **more)
    assert ("Strict-Transport-Security" in answer.headers) == secure
