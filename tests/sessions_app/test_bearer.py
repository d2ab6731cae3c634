"""How a bearer token is presented, and when it counts."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.models import User
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import forged, status_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]


def is_in(client: Api) -> bool:
    return client.get("/users/me").status_code == 200


# --- The clocks of tokens ----------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "status"), [(899, 200), (929, 200), (931, 401), (3600, 401)]
)
def test_an_access_token_ends_after_a_quarter_of_an_hour_and_the_leeway(
    api: SignIn, alice: User, seconds: int, status: int
) -> None:
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False) as clock:
        client = api(alice)
        clock.shift(timedelta(seconds=seconds))
        assert status_of(client, client.tokens.access_token) == status


@pytest.mark.parametrize(
    ("seconds", "status"), [(-29, 200), (-31, 401), (-600, 401), (-7200, 401)]
)
def test_a_token_from_the_future_is_refused_beyond_the_leeway(
    api: SignIn, alice: User, seconds: int, status: int
) -> None:
    """Two machines whose clocks differ by half a minute still know each other's."""
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False) as clock:
        client = api(alice)
        clock.shift(timedelta(seconds=seconds))
        assert status_of(client, client.tokens.access_token) == status
        assert is_in(api(alice))
        clock.shift(timedelta(seconds=-seconds))
        assert is_in(client)


@pytest.mark.parametrize("claims", [{"exp": 0}, {"nbf": 10**10}, {"iat": 10**10}])
def test_a_token_out_of_its_time_is_refused(
    api: SignIn, alice: User, claims: dict[str, int]
) -> None:
    client = api(alice)
    assert status_of(client, forged(client.tokens.access_token, claims=claims)) == 401


# --- The header --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("Bearer {0}", 200),
        ("Bearer   {0}", 200),
        ("Bearer\t{0}", 401),
        ("Bearer {0} {0}", 401),
        ("Bearer {0},Bearer {0}", 401),
        ('Bearer "{0}"', 401),
        ("Bearer: {0}", 401),
        ("{0}", 401),
        ("Token {0}", 401),
        ("Basic {0}", 401),
        ("Bearer \xa0{0}", 401),
        ("B\xe9arer {0}", 401),
        pytest.param("Bearer " + "x" * 20_000, 401, id="20 kB"),
        pytest.param("Bearer " + "x" * 40_000, 431, id="40 kB"),
    ],
)
def test_the_header_has_one_form(
    api: SignIn, alice: User, value: str, status: int
) -> None:
    client = api(alice)
    header = value.format(client.tokens.access_token).encode("latin-1")
    answer = client.application.request(
        "GET", "/api/v1/users/me", headers=[(b"Authorization", header)]
    )
    assert answer.status_code == status


def test_two_headers_are_no_proof(api: SignIn, alice: User, bob: User) -> None:
    client, other = api(alice), api(bob)
    both = [("Authorization", f"Bearer {c.tokens.access_token}") for c in (client, other)]
    for headers in (both, both[::-1], [both[0]] * 2):
        answer = client.application.request("GET", "/api/v1/users/me", headers=headers)
        assert answer.status_code == 401


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "jwt"])
def test_a_token_counts_in_its_header_only(api: SignIn, alice: User, name: str) -> None:
    token, anonymous = api(alice).tokens.access_token, api()
    assert anonymous.get(f"/users/me?{name}={token}").status_code == 401
    cookie = {"Cookie": f"{name}={token}"}
    assert anonymous.get("/users/me", headers=cookie).status_code == 401
    assert anonymous.get("/users/me", headers={"X-" + name: token}).status_code == 401
    assert anonymous.patch("/users/me", {name: token}).status_code == 401
