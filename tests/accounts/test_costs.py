"""How many statements a call costs. Savepoints of the tests count as two."""

from typing import Any

import pytest
import time_machine
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.plans import ON_POSTGRESQL

pytestmark = pytest.mark.django_db

WRONG = "wrong wrong wrong"
# Without Redis, counting is a matter of the database too.
COUNTS_HERE = not configured.REDIS_URL


def statements(client: Api, method: str, path: str, body: Any = None) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.call(method, path, body).status_code < 500
    return [query["sql"] for query in queries.captured_queries]


@pytest.mark.parametrize("path", ["/users/me", "/users/{alice}"])
def test_seeing_oneself_costs_one_statement(api: SignIn, alice: User, path: str) -> None:
    client = api(alice)
    [only] = statements(client, "GET", path.format(alice=alice.pk))
    assert "sessions_app_session" in only
    assert '"accounts_user"."password"' not in only


def test_once_a_minute_one_more_notes_the_use(api: SignIn, alice: User) -> None:
    client = api(alice)
    with time_machine.travel(client.session.last_used_at, tick=False) as clock:
        clock.shift(61)
        costs = [len(statements(client, "GET", "/users/me")) for _ in range(3)]
    assert costs == [2, 1, 1]


def test_seeing_somebody_else_costs_two(api: SignIn, root: User, alice: User) -> None:
    assert len(statements(api(root), "GET", f"/users/{alice.pk}")) == 2


@pytest.mark.parametrize("query", ["", "?search=p", "?is_active=true&sort_by=email"])
def test_a_list_costs_the_same_for_a_hundred_as_for_one(
    api: SignIn, root: User, query: str
) -> None:
    """A page that is not full says itself how many there are."""
    client = api(root)
    few = statements(client, "GET", f"/users{query}")
    UserFactory.create_batch(100)
    separator = "&" if query else "?"
    many = statements(client, "GET", f"/users{query}{separator}limit=100")
    assert (len(few), len(many)) == (2, 3)


def test_a_page_beyond_the_end_reads_no_rows(api: SignIn, root: User) -> None:
    assert len(statements(api(root), "GET", "/users?page=1000000")) == 2


def test_a_sign_in_costs_the_same_however_many_devices_there_are(
    api: SignIn, alice: User
) -> None:
    """The person, and within BEGIN and COMMIT a lock that also tells whether the device
    is known, the session, its event and the surplus: with PostgreSQL those three are one.
    The rest is for counting, one less once the address is known, since the account is not
    counted then.
    """
    body = {"email": alice.email, "password": PASSWORD}
    costs = []
    for devices in (0, 3, 10):
        for _ in range(devices):
            api(alice)
        costs.append(len(statements(api(), "POST", "/auth/login", body)))
    own, counting = 5 if ON_POSTGRESQL else 7, [8, 7, 7] if COUNTS_HERE else [0, 0, 0]
    assert costs == [own + more for more in counting]


def test_a_failed_sign_in_costs_the_same_whoever_is_meant(
    api: SignIn, alice: User
) -> None:
    UserFactory.create(email="off@example.com", is_active=False)
    costs = []
    for name in ("alice", "unknown", "off"):
        body = {"email": f"{name}@example.com", "password": WRONG}
        costs.append(len(statements(api(), "POST", "/auth/login", body)))
    assert costs == [5 if COUNTS_HERE else 2] * 3


def test_registering_a_known_address_is_the_same_work(
    api: SignIn, alice: User, hashings: list[str]
) -> None:
    """Checks 13: nothing tells a known address from a new one before the constraint."""
    costs = []
    for email in ("new@example.com", alice.email):
        body = {"email": email, "password": PASSWORD, "first_name": "A"}
        hashings.clear()
        statements(api(), "POST", "/auth/register", body)
        costs.append(list(hashings))
    assert costs == [["hash_secret"]] * 2


def test_changing_a_profile_costs_no_more_for_more_fields(
    api: SignIn, alice: User
) -> None:
    client = api(alice)
    one = statements(client, "PATCH", "/users/me", {"first_name": "A"})
    body = {"first_name": "B", "last_name": "B", "locale": "it", "preferences": {"a": 1}}
    assert len(one) == len(statements(client, "PATCH", "/users/me", body))
