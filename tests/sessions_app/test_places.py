"""Where a device is, as far as a GeoIP database knows."""

from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from pytest_django.fixtures import Settings

from accounts.models import User
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.servers import environment, manage

pytestmark = pytest.mark.django_db

HERE = {"city": {"names": {"en": "Turin", "it": "Torino"}}}
ITALY = {"country": {"iso_code": "IT", "names": {"en": "Italy", "it": "Italia"}}}


def write(path: Path, ip_version: int, known: dict[str, dict[str, Any]]) -> str:
    """A database that knows these networks."""
    writer = MMDBWriter(ip_version, ipv4_compatible=ip_version == 6)
    for network, record in known.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture
def world(tmp_path: Path, settings: Settings) -> None:
    known: dict[str, dict[str, Any]] = {
        "203.0.113.0/24": HERE | ITALY,
        "192.0.2.0/24": ITALY,
        "2001:db8:1::/48": HERE | ITALY,
        "198.51.100.0/24": {"city": {"names": {"en": "x" * 300}}},
        "203.0.112.0/24": {"city": {"names": {"it": "Torino"}}},
        "203.0.111.0/24": {"city": "Turin", "country": "IT"},
    }
    settings.GEOIP_PATH = write(tmp_path / "places.mmdb", 6, known)


def sign_in_from(api: SignIn, user: User, peer: str) -> Session:
    body = {"email": user.email, "password": PASSWORD}
    answer = api().post("/auth/login", body, peer=peer)
    assert answer.status_code == 200
    return Session.objects.latest("pk")


@pytest.mark.parametrize(
    ("peer", "city", "country"),
    [
        ("203.0.113.9", "Turin", "Italy"),
        ("::ffff:203.0.113.9", "Turin", "Italy"),
        ("2001:db8:1::7", "Turin", "Italy"),
        ("192.0.2.1", "", "Italy"),
        ("10.0.0.1", "", ""),
        ("2001:db8:2::7", "", ""),
        ("198.51.100.7", "x" * 128, ""),
        ("203.0.112.1", "", ""),
    ],
)
@pytest.mark.usefixtures("world")
def test_a_session_knows_the_place_of_its_address(
    api: SignIn, alice: User, peer: str, city: str, country: str
) -> None:
    session = sign_in_from(api, alice, peer)
    assert (session.location_city, session.location_country) == (city, country)


@pytest.mark.usefixtures("world")
def test_a_refresh_from_elsewhere_moves_the_device(api: SignIn, alice: User) -> None:
    client = api(alice)
    body = {"refresh_token": client.tokens.refresh_token}
    client.post("/auth/refresh", body, peer="203.0.113.9")
    (row,) = client.get("/sessions/me", peer="10.0.0.1").json()["sessions"]
    assert (row["location_city"], row["location_country"]) == ("Turin", "Italy")
    assert row["ip_address"] == "203.0.113.9"
    client.post("/auth/refresh", body, peer="10.0.0.1")
    assert client.session.ip_address == "203.0.113.9"


def test_an_address_that_a_database_cannot_hold_has_no_place(
    api: SignIn, alice: User, settings: Settings, tmp_path: Path
) -> None:
    known: dict[str, dict[str, Any]] = {"203.0.113.0/24": HERE | ITALY}
    settings.GEOIP_PATH = write(tmp_path / "ipv4.mmdb", 4, known)
    assert sign_in_from(api, alice, "2001:db8::7").location_city == ""
    assert sign_in_from(api, alice, "203.0.113.9").location_city == "Turin"


@pytest.mark.usefixtures("world")
def test_a_record_of_another_maker_breaks_nothing(api: SignIn, alice: User) -> None:
    session = sign_in_from(api, alice, "203.0.111.1")
    assert (session.location_city, session.location_country) == ("", "")


@pytest.mark.parametrize("content", [b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_no_database_is_refused_at_the_start(
    tmp_path: Path, content: bytes
) -> None:
    """Or it would be found out by the first person who signs in."""
    path = tmp_path / "places.mmdb"
    path.write_bytes(content)
    served = environment(f"sqlite:///{tmp_path / 'x.sqlite3'}", GEOIP_PATH=str(path))
    with pytest.raises(CalledProcessError) as refusal:
        manage("check", environment=served)
    assert "GEOIP_PATH" in refusal.value.stderr
    assert str(path) not in refusal.value.stderr
