"""What one may do is asked of the database at each call, whatever the token is from."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.services import update_rights
from audit.models import Event
from organizations import services
from organizations.models import Organization
from tests.client import Api
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member

pytestmark = pytest.mark.django_db

Way = Callable[[Api, Tenant], Any]


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


def outcome(answer: Any) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, "" if answer.is_success else body["errors"][0]["code"]


# --- Losing a seat, or part of it --------------------------------------------------


def demote(owner: Api, acme: Tenant) -> Any:
    return owner.patch(acme.member_url(acme.admin), {"role": "member"})


def shut_out(owner: Api, acme: Tenant) -> Any:
    return owner.patch(acme.member_url(acme.admin), {"is_active": False})


def remove(owner: Api, acme: Tenant) -> Any:
    return owner.delete(acme.member_url(acme.admin))


def delete(owner: Api, acme: Tenant) -> Any:
    return owner.delete(acme.url)


@pytest.mark.parametrize(
    ("lose", "managing", "reading"),
    [
        (demote, (403, "role_too_low"), (200, "")),
        (shut_out, (403, "not_a_member"), (403, "not_a_member")),
        (remove, (403, "not_a_member"), (403, "not_a_member")),
        (delete, (403, "not_a_member"), (403, "not_a_member")),
    ],
)
def test_an_admin_loses_the_right_with_the_next_call(
    api: SignIn, acme: Tenant, lose: Way, managing: Any, reading: Any
) -> None:
    """Of an access token that is as good as before. Check 116."""
    device = api(acme.admin)
    assert device.get(f"{acme.url}/invitations").status_code == 200
    assert lose(api(acme.owner), acme).status_code == 200
    invited = {"email": "dana@example.com", "role": "member"}
    assert outcome(device.get(f"{acme.url}/invitations")) == managing
    assert outcome(device.post(f"{acme.url}/invitations", invited)) == managing
    assert outcome(device.patch(acme.url, {"name": "Mine"})) == managing
    assert outcome(device.get(f"{acme.url}/members")) == reading
    assert outcome(device.get("/users/me")) == (200, "")
    assert not Organization.objects.filter(name="Mine").exists()


def test_everybody_is_out_of_a_deactivated_organization_and_in_again(
    api: SignIn, acme: Tenant, root: User
) -> None:
    devices = [api(person) for person in (acme.owner, acme.admin, acme.member)]
    for active, expected in [(False, (403, "not_a_member")), (True, (200, ""))]:
        services.set_organization_activity(by=acme.seat(root), active=active)
        for device in devices:
            assert outcome(device.get(acme.url)) == expected
            assert outcome(device.get(f"/organizations/{acme.organization.slug}")) == (
                expected
            )


def test_who_gave_the_organization_away_owns_nothing_with_the_next_call(
    api: SignIn, acme: Tenant
) -> None:
    old, new = api(acme.owner), api(acme.member)
    body = {"user_id": str(acme.member.pk)}
    assert outcome(new.delete(acme.url)) == (403, "role_too_low")
    assert outcome(old.post(f"{acme.url}/transfer-ownership", body)) == (200, "")
    assert outcome(old.delete(acme.url)) == (403, "role_too_low")
    assert outcome(old.patch(acme.url, {"name": "Still"})) == (200, "")
    assert outcome(new.delete(acme.url)) == (200, "")


def test_who_left_is_a_stranger_with_the_next_call(api: SignIn, acme: Tenant) -> None:
    device = api(acme.member)
    assert outcome(device.post(f"{acme.url}/leave")) == (200, "")
    assert outcome(device.get(acme.url)) == (403, "not_a_member")
    assert outcome(device.post(f"{acme.url}/leave")) == (403, "not_a_member")


def test_who_came_back_has_the_new_role_and_nothing_of_the_old(
    api: SignIn, acme: Tenant
) -> None:
    """Check 125."""
    device = api(acme.admin)
    assert remove(api(acme.owner), acme).status_code == 200
    add_member(acme.organization, user=acme.admin)
    assert outcome(device.get(acme.url)) == (200, "")
    assert outcome(device.get(f"{acme.url}/invitations")) == (403, "role_too_low")


def test_a_superuser_who_is_none_any_more_is_a_stranger_with_the_next_call(
    api: SignIn, acme: Tenant, root: User, alice: User
) -> None:
    update_rights(user=alice, by=root, is_staff=True, is_superuser=True)
    device = api(alice)
    assert outcome(device.get(acme.url)) == (200, "")
    assert outcome(device.get("/organizations/none")) == (404, "not_found")
    update_rights(user=alice, by=root, is_staff=False, is_superuser=False)
    for url in (acme.url, "/organizations/none"):
        assert outcome(device.get(url)) == (403, "not_a_member")


# --- Events ------------------------------------------------------------------------


@pytest.fixture
def both(api: SignIn, acme: Tenant, globex: Tenant, root: User) -> User:
    """An admin of two organizations, and things that happened in each of them."""
    person = add_member(acme.organization)
    add_member(globex.organization, user=person)
    for tenant in (acme, globex):
        api(tenant.owner).patch(tenant.member_url(person), {"role": "admin"})
        api(person).patch(tenant.url, {"description": f"Of {tenant.organization}"})
        api(tenant.member).get(f"{tenant.url}/events")
        api(root).patch(tenant.url, {"description": "Of root"})
    return person


FILTERS = [
    "",
    "actor={person}",
    "action=organization.updated",
    "outcome=success",
    "outcome=denied",
    "since=2000-01-01T00:00:00Z",
    "until={tomorrow}",
    "sort_order=asc",
    "organization_id={foreign}",
    "organization={foreign}&target_id={foreign}",
    "format=csv",
    "format=jsonl",
    "format=jsonl&action=organization.updated&actor={person}",
]


@pytest.mark.parametrize("role", ["owner", "admin", "both"])
@pytest.mark.parametrize("query", FILTERS)
def test_only_what_happened_in_the_organization_is_listed(
    api: SignIn, acme: Tenant, globex: Tenant, both: User, role: str, query: str
) -> None:
    """Check 219."""
    reader = both if role == "both" else getattr(acme, role)
    query = query.format(
        person=both.pk,
        foreign=globex.organization.pk,
        tomorrow=f"{timezone.now() + timedelta(days=1):%Y-%m-%dT00:00:00Z}",
    )
    answer = api(reader).get(f"{acme.url}/events?limit=100&{query}")
    assert answer.status_code == 200
    shown = {
        event.organization_id
        for event in Event.objects.all()
        if str(event.pk) in answer.text
    }
    assert shown == {acme.organization.pk}
    assert "Globex" not in answer.text
    assert str(globex.organization.pk) not in answer.text


def test_all_that_happened_in_the_organization_is_listed(
    api: SignIn, acme: Tenant, both: User
) -> None:
    page = api(acme.owner).get(f"{acme.url}/events?limit=100").json()
    own = Event.objects.filter(organization_id=acme.organization.pk)
    assert [event["id"] for event in page["data"]] == [str(e.pk) for e in own]
    actions = sorted(own.values_list("action", flat=True))
    changes = ["organization.updated"] * 2
    assert actions == ["access.denied", "member.role_changed", *changes]


def test_a_strangers_attempt_is_no_event_of_any_organization(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    """It would tell the members of one that somebody is there, and of the other what."""
    api(globex.owner).get(f"{acme.url}/events")
    denied = Event.objects.get(action="access.denied")
    assert (denied.actor_id, denied.organization_id) == (globex.owner.pk, None)
    for tenant in (acme, globex):
        assert api(tenant.owner).get(f"{tenant.url}/events").json()["data"] == []


def test_who_takes_the_slug_of_a_deleted_one_reads_nothing_of_it(
    api: SignIn, acme: Tenant, alice: User
) -> None:
    """Check 133."""
    slug, old = acme.organization.slug, acme.organization.pk
    api(acme.owner).patch(acme.url, {"description": "Secret"})
    api(acme.owner).delete(acme.url)
    assert api(alice).post("/organizations", {"name": "New", "slug": slug}).is_success
    page = api(alice).get(f"/organizations/{slug}/events").json()
    assert [event["action"] for event in page["data"]] == ["organization.created"]
    members = api(alice).get(f"/organizations/{slug}/members").json()["data"]
    assert [member["user_id"] for member in members] == [str(alice.pk)]
    assert api(acme.owner).get(f"/organizations/{slug}").status_code == 403
    assert Event.objects.filter(organization_id=old).count() == 2
