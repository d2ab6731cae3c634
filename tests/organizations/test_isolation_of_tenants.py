"""To one tenant another does not exist: it is neither seen, nor touched, nor guessed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import User
from organizations.models import Membership, Organization
from organizations.roles import Role
from tests.conftest import SignIn
from tests.organizations.access import (
    OF_ORGANIZATIONS,
    TABLE,
    Scene,
    body_of,
    fill,
    make_scene,
    ready,
    rows,
)
from tests.organizations.cast import add_member, role_of

pytestmark = pytest.mark.django_db

NOBODYS = "3d1f7c52-6a0b-4e8e-9c1d-5b2f8a7e6d40"
UNKNOWN = (NOBODYS, "no-such-organization")
NESTED = [call for call in OF_ORGANIZATIONS if call.endswith(("_id}", "/resend"))]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def scene(db: Any, settings: Settings) -> Scene:
    settings.RATELIMIT_ENABLE = False
    return make_scene()


def code(answer: Any) -> str:
    return str(answer.json()["errors"][0]["code"])


def told(answer: Any) -> tuple[Any, ...]:
    """All that whoever asked gets to see, but for the id of the request."""
    own = answer.headers["X-Request-ID"]
    headers = tuple(
        header for header in answer.headers.multi_items() if header[0] != "x-request-id"
    )
    return answer.status_code, headers, answer.text.replace(own, "")


# --- Strangers ---------------------------------------------------------------------


def members_of(scene: Scene) -> Any:
    return Membership.objects.filter(organization=scene.here.tenant.organization)


def shut_out(scene: Scene) -> User:
    members_of(scene).update(is_active=False)
    return scene.here.tenant.owner


def removed(scene: Scene) -> User:
    members_of(scene).filter(user=scene.here.tenant.admin).delete()
    return scene.here.tenant.admin


def of_an_inactive_one(role: str) -> Callable[[Scene], User]:
    def person(scene: Scene) -> User:
        Organization.objects.filter(pk=scene.here.pk).update(is_active=False)
        return scene.here.person(role)

    return person


def invited(scene: Scene) -> User:
    User.objects.filter(pk=scene.stranger.pk).update(email=scene.here.invitation.email)
    return User.objects.get(pk=scene.stranger.pk)


STRANGERS: dict[str, Callable[[Scene], User]] = {
    "of none": lambda scene: scene.stranger,
    "only invited": invited,
    "member of another": lambda scene: scene.there.tenant.member,
    "admin of another": lambda scene: scene.there.tenant.admin,
    "owner of another": lambda scene: scene.there.tenant.owner,
    "shut out": shut_out,
    "removed": removed,
    "member of an inactive one": of_an_inactive_one("member"),
    "admin of an inactive one": of_an_inactive_one("admin"),
    "owner of an inactive one": of_an_inactive_one("owner"),
}


def smuggled(pk: str) -> list[dict[str, Any]]:
    """Other ways in which a careless server might be told which organization is meant."""
    names = ("organization", "organization_id", "organizationId", "tenant_id", "id")
    url = f"/api/v1/organizations/{pk}"
    headers = {"X-Original-URL": url, "X-Rewrite-URL": url}
    headers |= {"X-Organization": pk, "X-Organization-Id": pk, "X-Tenant-Id": pk}
    fields = dict.fromkeys(names, pk)
    return [{"params": fields}, {"json": fields}, {"headers": headers}]


def ways_to_ask(call: str, scene: Scene, caller: User) -> Iterator[dict[str, Any]]:
    """By id and slug, of what there is and what not; and at one that is there with what
    would be refused for itself, or names an organization of the caller's.
    """
    method, _, path = call.partition(" ")
    here = scene.here
    body = body_of(call, here, caller)
    for at in (here.pk, here.slug, *UNKNOWN):
        for nested in ("", NOBODYS):
            asked = fill(path, here, at=at, nested=nested)
            yield {"method": method, "path": asked, "json": body}
    asked = fill(path, here)
    yield {"method": method, "path": asked, "content": b"{", "headers": JSON}
    yield {"method": method, "path": f"{asked}?page=x&role=x&status=x&format=x"}
    for more in smuggled(scene.there.pk):
        yield {"method": method, "path": asked} | more


@pytest.mark.parametrize("call", OF_ORGANIZATIONS)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_an_organization_of_others_answers_as_one_that_does_not_exist(
    api: SignIn, scene: Scene, stranger: str, call: str
) -> None:
    caller = STRANGERS[stranger](scene)
    client, before = api(caller), rows()
    asked = ways_to_ask(call, scene, caller)
    answers = {told(client.call(**way)) for way in asked}
    assert len(answers) == 1
    [(status, _, text)] = answers
    assert (status, '"code":"not_a_member"' in text) == (403, True)
    assert rows() == before


def test_neither_answer_costs_more_statements_than_the_other(
    api: SignIn, scene: Scene
) -> None:
    client = api(scene.stranger)
    client.get(scene.here.tenant.url)
    costs = set()
    for at in (scene.here.pk, scene.here.slug, *UNKNOWN):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/organizations/{at}").status_code == 403
        costs.add(len(queries))
    assert len(costs) == 1


def test_only_the_whole_id_or_slug_is_an_address(api: SignIn, scene: Scene) -> None:
    client = api(scene.here.tenant.owner)
    pk, slug = scene.here.pk, scene.here.slug
    for at in (pk, slug):
        assert client.get(f"/organizations/{at}").status_code == 200
    for at in (pk.replace("-", ""), pk[:-1], slug[:-1], slug[1:], f"{slug}-", f"{slug}0"):
        assert code(client.get(f"/organizations/{at}")) == "not_a_member", at
    for at in (pk.upper(), slug.upper(), f"{slug}%00", f"{slug}%20", f"{{{pk}}}", "%25"):
        assert code(client.get(f"/organizations/{at}")) == "not_found", at


@pytest.mark.parametrize("call", OF_ORGANIZATIONS)
def test_an_unknown_organization_is_404_to_superusers(
    api: SignIn, scene: Scene, call: str
) -> None:
    client, before = api(scene.superuser), rows()
    method, _, path = call.partition(" ")
    for at in UNKNOWN:
        body = body_of(call, scene.here, scene.superuser)
        answer = client.call(method, fill(path, scene.here, at=at), body)
        assert (answer.status_code, code(answer)) == (404, "not_found")
    assert rows() == before


@pytest.mark.parametrize("call", OF_ORGANIZATIONS)
def test_superusers_have_a_seat_in_an_inactive_one(
    api: SignIn, scene: Scene, call: str
) -> None:
    Organization.objects.filter(pk=scene.here.pk).update(is_active=False)
    client = api(scene.superuser)
    answer = client.call(**ready(client, call, scene.here, scene.superuser))
    # Nobody could come in by it: the one thing that does not go.
    invites = call.endswith(("/resend", "POST /organizations/{organization}/invitations"))
    assert answer.status_code == (409 if invites else TABLE[call]["superuser"])
    assert not invites or code(answer) == "organization_inactive"


# --- Ids of another tenant ---------------------------------------------------------


def at_home_in_both(scene: Scene) -> User:
    return add_member(scene.there.tenant.organization, Role.OWNER, user=owner(scene))


def owner(scene: Scene) -> User:
    return scene.here.tenant.owner


CALLERS: dict[str, Callable[[Scene], User]] = {
    "admin": lambda scene: scene.here.tenant.admin,
    "owner": owner,
    "owner of both": at_home_in_both,
    "superuser": lambda scene: scene.superuser,
}


@pytest.mark.parametrize("call", NESTED)
@pytest.mark.parametrize("caller", CALLERS)
def test_ids_of_another_tenant_lead_nowhere(
    api: SignIn, scene: Scene, call: str, caller: str
) -> None:
    client, before = api(CALLERS[caller](scene)), rows()
    method, _, path = call.partition(" ")
    there = scene.there
    foreign = there.colleague if "{user_id}" in call else there.invitation
    answers: set[tuple[Any, ...]] = set()
    for at in (scene.here.pk, scene.here.slug):
        for nested in (str(foreign.pk), NOBODYS):
            asked = fill(path, scene.here, at=at, nested=nested)
            answers.add(told(client.call(method, asked, {"role": "member"})))
    [(status, _, text)] = answers
    assert (status, '"code":"not_found"' in text) == (404, True)
    assert rows() == before


@pytest.mark.parametrize("caller", ["owner", "superuser"])
def test_nobody_of_another_tenant_is_made_the_owner(
    api: SignIn, scene: Scene, caller: str
) -> None:
    client, before = api(CALLERS[caller](scene)), rows()
    url = f"{scene.here.tenant.url}/transfer-ownership"
    answers = {
        told(client.post(url, {"user_id": str(pk)}))
        for pk in (scene.there.colleague.pk, NOBODYS)
    }
    [(status, _, text)] = answers
    assert (status, '"code":"not_found"' in text) == (404, True)
    assert rows() == before


@pytest.mark.parametrize("call", [call for call in NESTED if "{user_id}" in call])
def test_who_is_a_member_of_two_is_touched_in_one(
    api: SignIn, scene: Scene, call: str
) -> None:
    colleague = scene.here.colleague
    add_member(scene.there.tenant.organization, Role.ADMIN, user=colleague)
    there = rows(scene.there)
    client = api(scene.here.tenant.admin)
    answer = client.call(**ready(client, call, scene.here, scene.here.tenant.admin))
    assert answer.status_code == 200
    assert role_of(scene.here.tenant.organization, colleague) != Role.MEMBER
    assert rows(scene.there) == there


# --- Ids in the wrong place --------------------------------------------------------


@pytest.mark.parametrize("call", OF_ORGANIZATIONS)
@pytest.mark.parametrize("way", [0, 1, 2], ids=["query", "body", "headers"])
def test_no_other_organization_than_that_of_the_address_is_meant(
    api: SignIn, scene: Scene, call: str, way: int
) -> None:
    """By an owner of one who names another, not his, in all that a call can carry."""
    there = rows(scene.there)
    owner = scene.here.tenant.owner
    client = api(owner)
    asked = ready(client, call, scene.here, owner)
    extra = smuggled(scene.there.pk)[way]
    if "json" in extra:
        extra = {"json": extra["json"] | (asked["json"] or {})}
    answer = client.call(**asked | extra)
    assert answer.status_code == TABLE[call]["owner"], answer.text
    assert scene.there.pk not in answer.text
    assert rows(scene.there) == there


@pytest.mark.parametrize("call", [call for call in OF_ORGANIZATIONS if "GET" in call])
def test_what_is_read_is_that_of_the_address(
    api: SignIn, scene: Scene, call: str
) -> None:
    owner = at_home_in_both(scene)
    client = api(owner)
    asked = ready(client, call, scene.here, owner)
    ways = [{}, *smuggled(scene.there.pk)]
    assert len({told(client.call(**asked | way)) for way in ways}) == 1


def test_another_method_named_in_a_header_is_not_taken(api: SignIn, scene: Scene) -> None:
    owner, before = scene.here.tenant.owner, rows()
    other = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    url = f"{scene.here.tenant.url}?_method=DELETE"
    assert api(owner).get(url, headers=other).status_code == 200
    assert rows() == before
