"""An organization always has an active owner, whichever way one would go (check 117)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.errors import LastOwner
from accounts.models import User
from audit.models import Event
from organizations.models import Membership, Organization
from organizations.roles import Role
from sessions_app.models import Session
from tests.accounts.console import CONFIRMED
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.organizations.cast import Tenant, add_member, make_organization, role_of

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/accounts/user/"
LEAVE: dict[str, Any] = {"current_password": PASSWORD}
# Who acts, and on what: {m} is the owner's membership, {u} the owner's account.
WAYS: dict[str, tuple[str, str, str, Any]] = {
    "leaves": ("owner", "POST", "{o}/leave", None),
    "becomes admin": ("owner", "PATCH", "{m}", {"role": "admin"}),
    "becomes member": ("owner", "PATCH", "{m}", {"role": "member"}),
    "shuts out oneself": ("owner", "PATCH", "{m}", {"is_active": False}),
    "stays owner, shut out": ("owner", "PATCH", "{m}", {"role": "owner", "is_active": 0}),
    "removes oneself": ("owner", "DELETE", "{m}", None),
    "is demoted": ("root", "PATCH", "{m}", {"role": "admin"}),
    "is shut out": ("root", "PATCH", "{m}", {"is_active": False}),
    "is removed": ("root", "DELETE", "{m}", None),
    "leaves for good": ("owner", "DELETE", "/users/me", LEAVE),
    "is deactivated": ("root", "PATCH", "{u}", {"is_active": False, "last_name": "x"}),
    "is deleted": ("root", "DELETE", "{u}", None),
}
# What another owner is, who counts as none.
NONE_AT_ALL: dict[str, dict[str, Any]] = {
    "nobody": {},
    "inactive": {"is_active": False},
    "leaving": {"leaving_since": timezone.now()},
    "deleted": {"is_active": False, "deleted_at": timezone.now()},
}


def go(api: SignIn, acme: Tenant, root: User, way: str) -> httpx.Response:
    who, method, path, body = WAYS[way]
    owner = acme.owner
    member, user = acme.member_url(owner), f"/users/{owner.pk}"
    client = api(root if who == "root" else owner)
    return client.call(method, path.format(o=acme.url, m=member, u=user), body)


def state() -> list[Any]:
    """Without the sessions that each test's callers begin."""
    rows = [list(model.objects.order_by("pk").values()) for model in (Membership, User)]
    ended = Session.objects.filter(ended_at__isnull=False).count()
    return [rows, ended, Event.objects.exclude(action="session.started").count()]


def names(*organizations: Organization) -> list[dict[str, str]]:
    """As the refusal names them."""
    return [{"id": str(o.pk), "name": o.name, "slug": o.slug} for o in organizations]


@pytest.mark.parametrize("other", [*NONE_AT_ALL, "shut out"])
@pytest.mark.parametrize("way", WAYS)
def test_the_only_owner_stays(
    api: SignIn, acme: Tenant, root: User, way: str, other: str
) -> None:
    if other != "nobody":
        second = add_member(acme.organization, Role.OWNER, is_active=other != "shut out")
        User.objects.filter(pk=second.pk).update(
            **NONE_AT_ALL.get(other) or {"locale": "en"}
        )
    before = state()
    body = refused(go(api, acme, root, way), 409, "last_owner")
    assert body["organizations"] == names(acme.organization)
    assert state() == before


@pytest.mark.parametrize("way", WAYS)
def test_one_of_two_owners_may_go(
    api: SignIn, acme: Tenant, root: User, way: str
) -> None:
    add_member(acme.organization, Role.OWNER)
    assert go(api, acme, root, way).status_code == 200
    assert Membership.objects.owning().count() == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_inactive_organization_keeps_its_owner_too(
    api: SignIn, acme: Tenant, root: User, way: str
) -> None:
    Organization.objects.update(is_active=False)
    who, _, path, _ = WAYS[way]
    # To its own members it is not there.
    hidden = who == "owner" and path != "/users/me"
    expected = (403, "not_a_member") if hidden else (409, "last_owner")
    refused(go(api, acme, root, way), *expected)
    assert Membership.objects.owning().get().user_id == acme.owner.pk


# --- Owner of several --------------------------------------------------------------


@pytest.mark.parametrize("way", ["leaves for good", "is deactivated", "is deleted"])
def test_all_that_would_be_left_alone_are_named_and_no_others(
    api: SignIn, acme: Tenant, globex: Tenant, root: User, way: str
) -> None:
    alone = make_organization("Alone")
    for organization in (alone, globex.organization, make_organization("Shut out")):
        is_active = organization.slug != "shut-out"
        add_member(organization, Role.OWNER, user=acme.owner, is_active=is_active)
    add_member(make_organization("Below"), Role.ADMIN, user=acme.owner)
    body = refused(go(api, acme, root, way), 409, "last_owner")
    assert body["organizations"] == names(acme.organization, alone)
    assert role_of(globex.organization, acme.owner) == Role.OWNER


def test_who_may_not_leave_one_may_leave_another(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    add_member(globex.organization, Role.OWNER, user=acme.owner)
    client = api(acme.owner)
    refused(client.post(f"{acme.url}/leave"), 409, "last_owner")
    assert client.post(f"{globex.url}/leave").status_code == 200
    assert role_of(acme.organization, acme.owner) == Role.OWNER


# --- Several at once ---------------------------------------------------------------


@pytest.mark.parametrize("delete", [True, False])
def test_two_that_would_leave_nobody_both_stay(
    acme: Tenant, globex: Tenant, root: User, delete: bool
) -> None:
    second = add_member(acme.organization, Role.OWNER)
    ids = [acme.owner.pk, acme.member.pk, second.pk, globex.admin.pk]
    refusals = accounts.deactivate_users(user_ids=ids, by=root, delete=delete)
    assert refusals.keys() == {acme.owner.pk, second.pk}
    for refusal in refusals.values():
        assert isinstance(refusal, LastOwner)
        assert refusal.members["organizations"] == names(acme.organization)
    active = User.objects.filter(pk__in=ids, is_active=True).values_list("pk", flat=True)
    assert set(active) == {acme.owner.pk, second.pk}


def test_each_is_told_of_what_would_be_alone_without_them(
    acme: Tenant, globex: Tenant
) -> None:
    """The one owns both, the other one of them: the operator is told of all."""
    add_member(globex.organization, Role.OWNER, user=acme.owner)
    ids = [acme.owner.pk, globex.owner.pk]
    refusals = accounts.deactivate_users(user_ids=ids, by=None)
    both = names(acme.organization, globex.organization)
    told = {pk: refusal.members["organizations"] for pk, refusal in refusals.items()}
    assert sorted(told[acme.owner.pk], key=str) == sorted(both, key=str)
    assert told[globex.owner.pk] == both[1:]


def test_two_of_three_owners_go_together(acme: Tenant) -> None:
    second, third = (add_member(acme.organization, Role.OWNER) for _ in range(2))
    ids = [acme.owner.pk, second.pk]
    assert accounts.deactivate_users(user_ids=ids, by=None) == {}
    assert Membership.objects.owning().get().user_id == third.pk
    refusals = accounts.deactivate_users(user_ids=[third.pk], by=None)
    assert isinstance(refusals[third.pk], LastOwner)


@pytest.mark.parametrize("action", ["deactivate", "delete_softly"])
def test_the_console_keeps_an_owner(
    acme: Tenant, root: User, alice: User, action: str
) -> None:
    second = add_member(acme.organization, Role.OWNER)
    console = Client(headers={"host": "testserver"})
    console.force_login(root)
    chosen = [str(person.pk) for person in (acme.owner, second, alice)]
    body = {"action": action, "_selected_action": chosen, **CONFIRMED}
    answer = console.post(PEOPLE, body, follow=True)
    assert LastOwner.message in answer.content.decode()
    active = User.objects.filter(pk__in=chosen, is_active=True)
    assert {user.pk for user in active} == {acme.owner.pk, second.pk}


# --- Gone and back -----------------------------------------------------------------


@pytest.fixture
def second(acme: Tenant) -> User:
    return add_member(acme.organization, Role.OWNER)


def test_who_is_leaving_is_relied_upon_again_once_back(
    api: SignIn, acme: Tenant, second: User
) -> None:
    owner = api(acme.owner)
    assert api(second).delete("/users/me", LEAVE).status_code == 200
    for answer in (owner.post(f"{acme.url}/leave"), owner.delete("/users/me", LEAVE)):
        refused(answer, 409, "last_owner")
    login = {"email": second.email, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200
    assert owner.post(f"{acme.url}/leave").status_code == 200
    assert Membership.objects.owning().get().user_id == second.pk


def test_who_is_let_in_again_is_relied_upon_again(
    api: SignIn, acme: Tenant, second: User, root: User
) -> None:
    owner, boss, url = api(acme.owner), api(root), f"/users/{second.pk}"
    assert boss.patch(url, {"is_active": False}).status_code == 200
    refused(owner.post(f"{acme.url}/leave"), 409, "last_owner")
    assert boss.patch(url, {"is_active": True}).status_code == 200
    assert owner.post(f"{acme.url}/leave").status_code == 200


@pytest.mark.parametrize("way", ["leaving", "deleted"])
def test_who_is_anonymised_leaves_an_owner_behind(
    api: SignIn, acme: Tenant, second: User, root: User, settings: Settings, way: str
) -> None:
    settings.REDIS_URL = ""
    if way == "leaving":
        assert api(second).delete("/users/me", LEAVE).status_code == 200
    else:
        assert api(root).delete(f"/users/{second.pk}").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert accounts.purge_accounts() == 1
        refused(api(acme.owner).post(f"{acme.url}/leave"), 409, "last_owner")
    assert role_of(acme.organization, second) is None
    assert Membership.objects.owning().get().user_id == acme.owner.pk
