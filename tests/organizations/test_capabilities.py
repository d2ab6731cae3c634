"""What one may do in an organization: as it is told, and as it is."""

import re
from collections import defaultdict
from typing import Any
from uuid import uuid4

import httpx
import pytest

from accounts.models import User
from audit.models import Event
from organizations.roles import NEEDS, RANKS, Capability, Role, has
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.organizations.cast import ROLES, Tenant, add_member
from tests.servers import ROOT

pytestmark = pytest.mark.django_db

# One call for each capability; {c} is a member, {p} another owner.
CALLS: dict[Capability, tuple[str, str, Any]] = {
    Capability.VIEW_ORGANIZATION: ("GET", "", None),
    Capability.VIEW_MEMBERS: ("GET", "/members", None),
    Capability.LEAVE_ORGANIZATION: ("POST", "/leave", None),
    Capability.UPDATE_ORGANIZATION: ("PATCH", "", {"name": "New"}),
    Capability.MANAGE_MEMBERS: ("PATCH", "/members/{c}", {"role": "admin"}),
    Capability.MANAGE_INVITATIONS: ("GET", "/invitations", None),
    Capability.VIEW_EVENTS: ("GET", "/events", None),
    Capability.MANAGE_OWNERS: ("PATCH", "/members/{p}", {"role": "admin"}),
    Capability.TRANSFER_OWNERSHIP: ("POST", "/transfer-ownership", {"user_id": "{c}"}),
    Capability.DELETE_ORGANIZATION: ("DELETE", "", None),
}
# What this table says of each role, written out: a change of NEEDS is a decision.
ALLOWED = {
    Role.MEMBER: {"view_organization", "view_members", "leave_organization"},
    Role.ADMIN: {
        "update_organization",
        "manage_members",
        "manage_invitations",
        "view_events",
    },
    Role.OWNER: {"manage_owners", "transfer_ownership", "delete_organization"},
}


def told(client: Api, acme: Tenant) -> dict[str, Any]:
    answer = client.get(f"{acme.url}/capabilities")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def try_out(client: Api, acme: Tenant, capability: Capability) -> httpx.Response:
    """On people of its own: a member, and an owner beside the one there is."""
    others = {
        "c": str(add_member(acme.organization).pk),
        "p": str(add_member(acme.organization, Role.OWNER).pk),
    }
    method, path, body = CALLS[capability]
    if body:
        body = {name: value.format(**others) for name, value in body.items()}
    return client.call(method, acme.url + path.format(**others), body)


def test_the_table_says_what_each_role_adds() -> None:
    added = defaultdict(set)
    for capability, role in NEEDS.items():
        added[role].add(capability.value)
    assert added == ALLOWED
    assert list(RANKS) == [*ALLOWED]
    assert NEEDS.keys() == CALLS.keys() == set(Capability)


def test_the_document_says_what_the_table_says() -> None:
    text = (ROOT / "docs" / "ORGANIZATIONS.md").read_text()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (\w+) \|$", text, re.M)
    said = {name: role for names, role in rows for name in re.findall(r"\w+", names)}
    assert said == {capability.value: role.value for capability, role in NEEDS.items()}


@pytest.mark.parametrize("capability", Capability)
def test_a_role_has_what_those_below_it_have(capability: Capability) -> None:
    granted = [has(role, capability) for role in RANKS]
    assert granted == sorted(granted)
    assert granted[-1]


@pytest.mark.parametrize("role", ROLES)
def test_everybody_is_told_what_their_role_allows(
    api: SignIn, acme: Tenant, role: Role
) -> None:
    body = told(api(getattr(acme, role)), acme)
    assert (body["role"], body["as_superuser"]) == (role, False)
    assert body.keys() == {"role", "as_superuser", "capabilities"}
    allowed = set().union(*(ALLOWED[below] for below in RANKS[: RANKS.index(role) + 1]))
    assert body["capabilities"] == [
        {"name": capability, "allowed": capability in allowed, "needs": needed}
        for capability, needed in NEEDS.items()
    ]


@pytest.mark.parametrize("own_role", [None, *ROLES])
def test_a_superuser_is_told_what_an_owner_is(
    api: SignIn, acme: Tenant, root: User, own_role: Role | None
) -> None:
    if own_role:
        add_member(acme.organization, own_role, user=root)
    body = told(api(root), acme)
    assert body["role"] == "owner"
    assert body["as_superuser"] is (own_role != Role.OWNER)
    assert all(capability["allowed"] for capability in body["capabilities"])


@pytest.mark.parametrize("capability", CALLS)
@pytest.mark.parametrize("role", ROLES)
def test_what_is_told_is_what_is_so(
    api: SignIn, acme: Tenant, role: Role, capability: Capability
) -> None:
    client = api(getattr(acme, role))
    said = {one["name"]: one["allowed"] for one in told(client, acme)["capabilities"]}
    answer = try_out(client, acme, capability)
    if said[capability]:
        assert answer.status_code == 200, answer.text
    elif (role, capability) == (Role.ADMIN, Capability.MANAGE_OWNERS):
        refused(answer, 403, "role_too_high")
    else:
        # Who deals in owners deals in members first.
        first = {Capability.MANAGE_OWNERS: Capability.MANAGE_MEMBERS}
        needed = NEEDS[first.get(capability, capability)]
        assert refused(answer, 403, "role_too_low")["needs"] == needed


@pytest.mark.parametrize(
    "capability", [name for name in CALLS if name != Capability.LEAVE_ORGANIZATION]
)
def test_a_superuser_may_do_it_all(
    api: SignIn, acme: Tenant, root: User, capability: Capability
) -> None:
    assert try_out(api(root), acme, capability).status_code == 200


@pytest.mark.parametrize("path", ["/events", "/events?format=csv", "/invitations"])
def test_asking_for_the_headers_alone_needs_the_same_capability(
    api: SignIn, acme: Tenant, path: str
) -> None:
    assert api(acme.member).call("HEAD", acme.url + path).status_code == 403
    denied = Event.objects.get(action="access.denied")
    assert denied.organization_id == acme.organization.pk
    assert api(acme.admin).call("HEAD", acme.url + path).status_code == 200


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "FOO", "POST", "PUT", "DELETE"])
def test_what_is_not_answered_tells_a_stranger_nothing(
    api: SignIn, acme: Tenant, alice: User, method: str
) -> None:
    url = f"{acme.url}/capabilities"
    refused(api(alice).call(method, url), 403, "not_a_member")
    refused(api().call(method, url), 401)
    refused(api(acme.member).call(method, url), 405, "method_not_allowed")


@pytest.mark.parametrize("who", ["stranger", "shut out", "asleep"])
def test_who_has_no_seat_is_told_nothing(
    api: SignIn, acme: Tenant, alice: User, who: str
) -> None:
    person = alice if who == "stranger" else acme.owner
    if who == "shut out":
        acme.organization.memberships.update(is_active=False)
    if who == "asleep":
        acme.organization.is_active = False
        acme.organization.save()
    url = f"{acme.url}/capabilities"
    refused(api(person).get(url), 403, "not_a_member")
    refused(api().get(url), 401)


def test_a_superuser_is_told_that_it_is_not_there(api: SignIn, root: User) -> None:
    refused(api(root).get(f"/organizations/{uuid4()}/capabilities"), 404, "not_found")
