"""What calls cost the database: a number of statements that no size changes."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations.models import Invitation, Membership, Organization
from organizations.roles import Role
from tests.client import Api
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member, make_organization
from tests.plans import plans, postgresql, prefer_indexes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

# In which the session and its person are read, whoever calls.
AUTHENTICATION = 1


@pytest.fixture
def no_limits(settings: Settings) -> None:
    """Where there is no Redis, counting is a statement too."""
    settings.RATELIMIT_ENABLE = False


def cost(
    client: Api, method: str, path: str, body: Any = None, *, status: int = 200
) -> int:
    """Beyond authentication's, and without the marks of transactions."""
    with CaptureQueriesContext(connection) as statements:
        answer = client.call(method, path, body)
    assert answer.status_code == status, answer.text
    marks = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
    counted = [s for s in statements if not s["sql"].startswith(marks)]
    assert "sessions_app_session" in counted[0]["sql"]
    return len(counted) - AUTHENTICATION


def fill(organization: Organization, number: int) -> None:
    """With so many more members."""
    addresses = [f"crowd-{n}@{organization.slug}.io" for n in range(number)]
    people = User.objects.bulk_create(
        User(email=address, email_key=address, first_name="Crowd")
        for address in addresses
    )
    Membership.objects.bulk_create(
        Membership(organization=organization, user=user, role=Role.MEMBER)
        for user in people
    )


def tell_the_planner() -> None:
    """What autovacuum does within a minute and cannot inside of a test's transaction.

    The connection outlives the tests, and with it the plan of a prepared statement, which
    was made when the tables were all but empty: a loop over ten thousand rows for each of
    ten thousand. Looking at the tables throws such plans away.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def furnish(tenant: Tenant, number: int) -> None:
    """With so many more members, owners, invitations and events."""
    organization = tenant.organization
    fill(organization, number)
    for _ in range(number // 10):
        add_member(organization, Role.OWNER)
    Event.objects.bulk_create(
        Event(action="thing.done", organization_id=organization.pk) for _ in range(number)
    )
    Invitation.objects.bulk_create(
        Invitation(
            organization=organization,
            email=f"{n}@y.io",
            email_key=f"{n}@y.io",
            role=Role.MEMBER,
            token_digest=f"{organization.slug} {n}",
            inviter=tenant.owner if n < 10 else tenant.admin,
            expires_at="2999-01-01T00:00:00Z",
        )
        for n in range(number)
    )


# --- Reading -----------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?is_active=false"])
def test_all_of_ones_own_are_one_statement(api: SignIn, acme: Tenant, query: str) -> None:
    client = api(acme.member)
    assert cost(client, "GET", f"/organizations/me{query}") == 1
    for number in range(20):
        one = make_organization(f"Number {number}")
        add_member(one, user=acme.member, is_active=not query)
    assert cost(client, "GET", f"/organizations/me{query}") == 1
    own = client.get(f"/organizations/me{query}").json()
    assert len(own) == (20 if query else 21)


@postgresql
def test_who_of_the_members_is_deleted_is_asked_of_an_index(
    api: SignIn, acme: Tenant
) -> None:
    """Not of the row of each person."""
    fill(acme.organization, 50)
    tell_the_planner()
    prefer_indexes()
    client = api(acme.owner)
    with plans("COUNT(*)") as found:
        assert client.get(f"{acme.url}/members").status_code == 200
    [plan] = found
    assert "using deleted_people" in plan
    assert "accounts_user_pkey" not in plan


def test_a_page_of_ten_thousand_members_is_three_statements(
    api: SignIn, acme: Tenant
) -> None:
    """The seat, the count and the rows; whatever narrows and orders them."""
    fill(acme.organization, 9_997)
    tell_the_planner()
    client = api(acme.member)
    for query in ("", "&page=100", "&sort_by=email&sort_order=desc", "&search=crowd-99"):
        assert cost(client, "GET", f"{acme.url}/members?limit=100{query}") == 3
    page = client.get(f"{acme.url}/members?limit=100&page=100").json()
    assert (page["pagination"]["total"], len(page["data"])) == (10_000, 100)
    assert cost(client, "GET", acme.url) == 2
    assert client.get(acme.url).json()["member_count"] == 10_000


READS = {
    "": 2,
    "/capabilities": 1,
    "/members?limit=100": 3,
    "/invitations?limit=100": 3,
    "/events?limit=100": 3,
}


@pytest.mark.parametrize("path", READS)
def test_no_size_makes_reading_dearer(api: SignIn, acme: Tenant, path: str) -> None:
    """The seat is one statement, and asking it for a capability none."""
    client = api(acme.owner)
    assert cost(client, "GET", acme.url + path) <= READS[path]
    furnish(acme, 150)
    assert cost(client, "GET", acme.url + path) == READS[path]
    by_slug = "/organizations/acme" + path
    assert cost(client, "GET", by_slug) == READS[path]


@pytest.mark.parametrize("path", ["/events", "/invitations"])
def test_a_refusal_costs_the_seat_and_the_event(
    api: SignIn, acme: Tenant, alice: User, path: str
) -> None:
    for person in (acme.member, alice):
        assert cost(api(person), "GET", acme.url + path, status=403) == 2


# --- Changing ----------------------------------------------------------------------

# With the most statements that each may take. {p} is another owner, {c} a member, {i} an
# invitation, {s} what the organization is called in addresses.
WRITES: dict[str, tuple[int, str, str, Any]] = {
    "found": (10, "POST", "/organizations", {"name": "New {s}"}),
    "update": (9, "PATCH", "{o}", {"name": "New", "slug": "new-{s}"}),
    "delete": (12, "DELETE", "{o}", None),
    "demote": (11, "PATCH", "{o}/members/{p}", {"role": "admin"}),
    "shut out": (11, "PATCH", "{o}/members/{p}", {"is_active": "false"}),
    "remove": (11, "DELETE", "{o}/members/{p}", None),
    "leave": (13, "POST", "{o}/leave", None),
    "transfer": (16, "POST", "{o}/transfer-ownership", {"user_id": "{c}"}),
    "invite": (14, "POST", "{o}/invitations", {"email": "a@b.cc", "role": "admin"}),
    "resend": (14, "POST", "{o}/invitations/{i}/resend", None),
    "revoke": (10, "DELETE", "{o}/invitations/{i}", None),
}


def cost_of(api: SignIn, tenant: Tenant, name: str, size: int) -> int:
    partner = add_member(tenant.organization, Role.OWNER)
    furnish(tenant, size)
    words = {
        "o": tenant.url,
        "p": partner.pk,
        "c": tenant.member.pk,
        "i": tenant.organization.invitations.latest("pk").pk,
        "s": tenant.organization.slug,
    }
    _, method, path, body = WRITES[name]
    body = body and {key: value.format(**words) for key, value in body.items()}
    status = 201 if name in {"found", "invite"} else 200
    return cost(api(tenant.owner), method, path.format(**words), body, status=status)


@pytest.mark.parametrize("name", WRITES)
def test_no_size_makes_a_change_dearer(
    api: SignIn, acme: Tenant, globex: Tenant, name: str
) -> None:
    small = cost_of(api, acme, name, 5)
    assert small == cost_of(api, globex, name, 150) <= WRITES[name][0]


@pytest.mark.parametrize("number", [1, 20])
def test_shutting_people_out_asks_once_for_all_they_own(
    api: SignIn, root: User, alice: User, number: int
) -> None:
    for n in range(number):
        one = make_organization(f"Number {n}")
        add_member(one, Role.OWNER, user=alice)
        add_member(one, Role.OWNER)
    most = 12
    body = {"is_active": False}
    assert cost(api(root), "PATCH", f"/users/{alice.pk}", body) <= most
