"""Name, slug, description, settings: changed by those who may, and by what is named."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from audit.models import Event
from config.errors import DomainError
from organizations import services
from organizations.models import Organization
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member, make_tenant
from tests.organizations.test_founding import BAD_VALUES, recorded

pytestmark = pytest.mark.django_db

METHODS = ["PATCH", "PUT"]
UPDATED = "organization.updated"


@pytest.mark.parametrize("method", METHODS)
def test_an_organization_is_changed_and_that_is_recorded(
    api: SignIn, acme: Tenant, method: str
) -> None:
    changes = {
        "name": "Acme Works",
        "slug": "acme-works",
        "description": "We make everything.",
        "settings": {"theme": "dark", "deep": {"list": [1, None, True, "ü"]}},
    }
    client = api(acme.admin)
    before = client.get(acme.url).json()
    answer = client.call(method, acme.url, changes)
    assert answer.status_code == 200
    body = answer.json()
    assert body == before | changes | {"updated_at": body["updated_at"]}
    assert body["updated_at"].endswith("Z")
    assert client.get(acme.url).json() == body
    event = Event.objects.get(action=UPDATED)
    assert (event.actor_id, event.target_id) == (acme.admin.pk, acme.organization.pk)
    assert event.data == {"fields": sorted(changes)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": " New "},
        {"slug": "new"},
        {"description": "New"},
        {"settings": {"new": []}},
    ],
    ids=["name", "slug", "description", "settings"],
)
def test_what_is_not_named_stays(
    api: SignIn, acme: Tenant, method: str, change: dict[str, Any]
) -> None:
    client = api(acme.owner)
    client.patch(acme.url, {"description": "Old", "settings": {"old": 1}})
    before = client.get(acme.url).json()
    after = client.call(method, acme.url, change).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {*change, "updated_at"}
    assert Event.objects.filter(action=UPDATED).latest("pk").data["fields"] == [*change]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_ones_to_change_is_ignored(
    api: SignIn, acme: Tenant, bob: User, method: str
) -> None:
    """Check 113."""
    client = api(acme.owner)
    before = client.get(acme.url).json()
    changes = {
        "id": str(uuid4()),
        "owner": str(bob.pk),
        "is_active": False,
        "created_at": "2001-01-01T00:00:00Z",
        "updated_at": "2001-01-01T00:00:00Z",
        "members": [str(bob.pk)],
        "member_count": 99,
        "role": "owner",
        "my_role": "member",
        "memberships": [],
    }
    answer = client.call(method, acme.url, changes)
    assert (answer.status_code, answer.json()) == (200, before)
    assert client.get(acme.url).json() == before
    assert recorded(acme.organization.pk) == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"name": "Acme"},
        {"name": " Acme ", "slug": "acme", "description": None, "settings": {}},
        {"description": ""},
    ],
    ids=["none", "empty", "name", "all", "blank"],
)
def test_a_change_of_nothing_is_none(
    api: SignIn, acme: Tenant, body: dict[str, Any] | None
) -> None:
    answer = api(acme.owner).patch(acme.url, body)
    assert (answer.status_code, answer.json()["updated_at"]) == (200, None)
    assert recorded(acme.organization.pk) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": False}, {"a": 0}),
        ({"a": {"b": [1.0]}}, {"a": {"b": [True]}}),
    ],
    ids=["true", "zero", "deep"],
)
def test_true_is_not_one(
    api: SignIn, acme: Tenant, old: dict[str, Any], new: dict[str, Any]
) -> None:
    client = api(acme.owner)
    client.patch(acme.url, {"settings": old})
    client.patch(acme.url, {"settings": new})
    assert repr(client.get(acme.url).json()["settings"]) == repr(new)
    assert recorded(acme.organization.pk) == [UPDATED, UPDATED]


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30, 0.1, -2.5e-7])
def test_numbers_of_settings_come_back(api: SignIn, acme: Tenant, number: float) -> None:
    client = api(acme.owner)
    answer = client.patch(acme.url, {"settings": {"number": number}})
    assert answer.json()["settings"] == {"number": number}
    assert client.get(acme.url).json()["settings"] == {"number": number}


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_description_can_be_emptied(
    api: SignIn, acme: Tenant, empty: str | None
) -> None:
    client = api(acme.owner)
    client.patch(acme.url, {"description": "Old"})
    assert client.patch(acme.url, {"description": empty}).json()["description"] is None
    acme.organization.refresh_from_db()
    assert acme.organization.description == ""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_bad_value_changes_nothing(
    api: SignIn, acme: Tenant, method: str, field: str, value: object
) -> None:
    body = {"name": "New", "description": "New", field: value}
    answer = api(acme.owner).call(method, acme.url, body)
    assert fields(answer)[0].startswith(field)
    acme.organization.refresh_from_db()
    assert (acme.organization.name, acme.organization.description) == ("Acme", "")
    assert recorded(acme.organization.pk) == []


@pytest.mark.parametrize("body", [[], "x", 5, True])
def test_a_body_that_is_no_object_changes_nothing(
    api: SignIn, acme: Tenant, body: object
) -> None:
    assert api(acme.owner).patch(acme.url, body).status_code == 422
    assert recorded(acme.organization.pk) == []


# --- Who ---------------------------------------------------------------------------

REFUSALS = {
    "anonymous": (401, "not_authenticated"),
    "stranger": (403, "not_a_member"),
    "shut out": (403, "not_a_member"),
    "member": (403, "role_too_low"),
}


@pytest.mark.parametrize("method", [*METHODS, "DELETE"])
@pytest.mark.parametrize("who", REFUSALS)
def test_others_change_and_delete_nothing(
    api: SignIn, acme: Tenant, globex: Tenant, who: str, method: str
) -> None:
    callers = {"anonymous": None, "stranger": globex.owner, "member": acme.member}
    callers["shut out"] = add_member(acme.organization, is_active=False)
    answer = api(callers[who]).call(method, acme.url, {"name": "New"})
    refused(answer, *REFUSALS[who])
    acme.organization.refresh_from_db()
    assert acme.organization.name == "Acme"


def test_an_admin_does_not_delete_it(api: SignIn, acme: Tenant) -> None:
    """Check 114. The refusal says which role would do."""
    body = refused(api(acme.admin).delete(acme.url), 403, "role_too_low")
    assert body["needs"] == "owner"
    assert api(acme.owner).get(acme.url).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("own_role", [None, "member", "admin", "owner"])
def test_a_superuser_acts_as_an_owner_and_the_event_says_so(
    api: SignIn, root: User, acme: Tenant, method: str, own_role: str | None
) -> None:
    """Check 126. `my_role` stays what it is; an owner of one's own needs no more."""
    if own_role:
        acme.organization.memberships.create(user=root, role=own_role)
    answer = api(root).call(method, acme.url, {"name": "New"})
    assert answer.status_code == 200
    if method == "PATCH":
        assert answer.json()["my_role"] == own_role
    event = Event.objects.get(organization_id=acme.organization.pk)
    assert event.actor_id == root.pk
    assert event.data.get("as_superuser", False) is (own_role != "owner")


def test_a_right_that_was_lost_before_the_lock_is_none(acme: Tenant, root: User) -> None:
    """The seat was taken before; the service looks again."""
    seats = [acme.seat(person) for person in (acme.admin, root)]
    acme.organization.memberships.filter(user=acme.admin).update(role="member")
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    for seat, code in zip(seats, ("role_too_low", "not_a_member"), strict=True):
        with pytest.raises(DomainError) as refusal:
            services.update_organization(by=seat, name="New")
        assert refusal.value.code == code
    assert recorded(acme.organization.pk) == []


def test_changes_are_thirty_a_minute_and_each_persons_own(api: SignIn) -> None:
    acme = make_tenant("Acme")
    owner = api(acme.owner)
    calls = [owner.patch(acme.url, {}) for _ in range(30)]
    assert {answer.status_code for answer in calls} == {200}
    refused(owner.put(acme.url, {}), 429, "too_many_requests")
    assert api(acme.admin).patch(acme.url, {}).status_code == 200


def test_who_may_not_is_limited_all_the_same(api: SignIn, acme: Tenant) -> None:
    """Check 188: each of these leaves an event behind."""
    client = api(acme.member)
    calls = [client.patch(acme.url, {}).status_code for _ in range(32)]
    assert calls == [403] * 30 + [429] * 2
    assert recorded(acme.organization.pk) == ["access.denied"] * 30


def test_settings_are_bounded(api: SignIn, acme: Tenant) -> None:
    """Every list of organizations carries them."""
    most = {"a": "x" * (64 * 1024 - 9)}
    assert api(acme.owner).patch(acme.url, {"settings": most}).status_code == 200
    more = {"a": most["a"] + "x"}
    answer = api(acme.owner).patch(acme.url, {"settings": more})
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["code"], fault["field"]) == ("max_length", "settings")
    assert Organization.objects.get(pk=acme.organization.pk).settings == most
