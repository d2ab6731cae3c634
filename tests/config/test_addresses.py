import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from config.addresses import bucket, client_address, client_scheme, undo_forwarding
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD

LOGIN = {"email": "alice@example.com", "password": PASSWORD}


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("198.51.100.7", "", 0, "198.51.100.7"),
        ("198.51.100.7", "203.0.113.1", 0, "198.51.100.7"),
        ("10.0.0.1", "203.0.113.1", 1, "203.0.113.1"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.1", 1, "203.0.113.1"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.1, 10.0.0.2", 2, "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1", 2, "10.0.0.1"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.1:4711", 1, "203.0.113.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", 1, "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", 1, "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0::1", 1, "2001:db8::1"),
        ("10.0.0.1", "fe80::1%eth0", 1, "fe80::1"),
        ("10.0.0.1", "::ffff:203.0.113.1", 1, "203.0.113.1"),
        ("10.0.0.1", "garbage", 1, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.1, garbage", 1, "10.0.0.1"),
        ("10.0.0.1", "' OR 1=1", 1, "10.0.0.1"),
        ("10.0.0.1", ",,,", 1, "10.0.0.1"),
        ("::ffff:198.51.100.7", "", 0, "198.51.100.7"),
        ("", "", 0, ""),
        ("", "203.0.113.1", 1, "203.0.113.1"),
        ("testclient", "", 0, ""),
    ],
)
def test_only_what_our_proxies_appended_counts(
    peer: str, forwarded: str, trusted: int, expected: str
) -> None:
    assert client_address(peer, forwarded, trusted) == expected


@pytest.mark.parametrize(
    ("scheme", "proto", "trusted", "expected"),
    [
        ("http", "https", 0, "http"),
        ("https", "http", 0, "https"),
        ("http", "https", 1, "https"),
        ("http", "http,https", 1, "https"),
        ("http", "https, http", 1, "http"),
        ("http", "gopher", 1, "http"),
        ("https", "", 1, "https"),
    ],
)
def test_the_scheme_is_that_of_the_nearest_trusted_proxy(
    scheme: str, proto: str, trusted: int, expected: str
) -> None:
    assert client_scheme(scheme, proto, trusted) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.1", "203.0.113.2", False),
        ("", "", True),
    ],
)
def test_a_subscribers_network_is_one_bucket(one: str, other: str, same: bool) -> None:
    assert (bucket(one) == bucket(other)) == same


@pytest.mark.parametrize(
    ("client", "forwarded", "peer"),
    [
        ("203.0.113.1", "203.0.113.1", "127.0.0.1"),
        ("203.0.113.1", "6.6.6.6, 203.0.113.1:4711", "127.0.0.1"),
        ("203.0.113.1", "", "203.0.113.1"),
        ("203.0.113.1", "6.6.6.6", "203.0.113.1"),
        ("", ",", ""),
    ],
)
def test_what_a_server_believed_is_taken_back(
    client: str, forwarded: str, peer: str
) -> None:
    assert undo_forwarding(client, forwarded) == peer


HEADERS = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X-Client-IP",
]


@pytest.mark.django_db
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_moves_neither_limit_nor_record(
    api: SignIn, alice: User, header: str
) -> None:
    for number in range(10):
        claim = {header: f"for=203.0.113.{number}, 203.0.113.{number}"}
        api().post("/auth/login", {**LOGIN, "password": "wrong"}, headers=claim)
    assert (
        api().post("/auth/login", LOGIN, headers={header: "6.6.6.6"}).status_code == 429
    )
    elsewhere = api().post(
        "/auth/login", LOGIN, headers={header: "6.6.6.6"}, peer="192.0.2.1"
    )
    assert elsewhere.status_code == 200
    assert Session.objects.get().ip_address == "192.0.2.1"


@pytest.mark.django_db
def test_behind_a_proxy_each_client_has_a_limit_of_its_own(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    for _ in range(11):
        first = api().post("/auth/login", {}, headers={"X-Forwarded-For": "203.0.113.1"})
    assert first.status_code == 429
    second = api().post("/auth/login", LOGIN, headers={"X-Forwarded-For": "203.0.113.2"})
    assert second.status_code == 200
    assert Session.objects.get().ip_address == "203.0.113.2"


@pytest.mark.django_db
@pytest.mark.parametrize("network", ["2001:db8:1:2::", "2001:db8:1:2:5:6:7:"])
def test_addresses_of_one_network_share_a_limit(api: SignIn, network: str) -> None:
    for number in range(10):
        peer = f"{network}{number + 1:x}"
        assert api().post("/auth/login", {}, peer=peer).status_code == 422
    assert api().post("/auth/login", {}, peer="2001:db8:1:2::99").status_code == 429
    assert api().post("/auth/login", {}, peer="2001:db8:1:3::1").status_code == 422


@pytest.mark.django_db
def test_a_peer_without_an_address_is_served_and_limited(
    api: SignIn, alice: User
) -> None:
    """A Unix socket."""
    answers = [api().post("/auth/login", LOGIN, peer="") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert {session.ip_address for session in Session.objects.all()} == {None}
