"""The same done to up to a hundred people at once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Event
from organizations.roles import Role
from sessions_app.models import Session
from sessions_app.services import start_session
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.mailbox import mails
from tests.organizations.cast import Tenant, add_member, make_organization

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

PATH = "/admin/users/bulk-action"
EVENTS = {
    "activate": "user.activated",
    "deactivate": "user.deactivated",
    "delete": "user.deleted",
}


def bulk(boss: Api, action: str, ids: Sequence[UUID | str]) -> Any:
    return boss.post(PATH, {"action": action, "user_ids": [str(pk) for pk in ids]})


def outcome(boss: Api, action: str, ids: Sequence[UUID | str]) -> tuple[int, list[str]]:
    """How many it concerned, and who could not."""
    answer = bulk(boss, action, ids)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {
        "success",
        "affected_count",
        "failed_count",
        "message",
        "failed_ids",
    }
    assert body["success"] is True
    assert body["message"]
    assert body["failed_count"] == len(body["failed_ids"])
    return body["affected_count"], body["failed_ids"]


def people(number: int, **extra: Any) -> list[UUID]:
    return [UserFactory.create(**extra).pk for _ in range(number)]


def names(*ids: UUID) -> list[str]:
    return sorted(map(str, ids))


@pytest.mark.parametrize("action", EVENTS)
def test_each_is_changed_and_has_an_event(boss: Api, root: User, action: str) -> None:
    ids = people(3, is_active=action != "activate")
    assert outcome(boss, action, ids) == (3, [])
    chosen = User.objects.filter(pk__in=ids)
    assert {user.is_active for user in chosen} == {action == "activate"}
    assert {user.deleted_at is not None for user in chosen} == {action == "delete"}
    events = Event.objects.filter(action=EVENTS[action])
    assert sorted(event.target_id or root.pk for event in events) == sorted(ids)
    assert {event.actor_id for event in events} == {root.pk}
    assert len(mails("account_deleted")) == (3 if action == "delete" else 0)


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_whoever_goes_is_signed_out_and_nobody_else(
    api: SignIn, boss: Api, alice: User, bob: User, action: str
) -> None:
    out, stays = [api(alice), api(alice)], api(bob)
    assert outcome(boss, action, [alice.pk]) == (1, [])
    for device in out:
        refused(device.get("/users/me"), 401)
    assert stays.get("/users/me").status_code == 200
    assert Event.objects.filter(action="session.ended").count() == 2


@pytest.mark.parametrize("action", EVENTS)
def test_those_who_cannot_are_named_and_the_rest_is_done(
    boss: Api, root: User, second: User, alice: User, action: str
) -> None:
    gone = UserFactory.create()
    boss.delete(f"/admin/users/{gone.pk}")
    before = Event.objects.count()
    unknown = uuid4()
    done, failed = outcome(boss, action, [root.pk, unknown, alice.pk, gone.pk])
    assert (done, failed) == (1, names(root.pk, unknown, gone.pk))
    assert User.objects.get(pk=root.pk).is_active
    # Who is active already is left as it is, and nothing is recorded.
    assert Event.objects.count() - before == (0 if action == "activate" else 1)


@pytest.mark.parametrize("action", EVENTS)
def test_who_is_named_twice_counts_once(boss: Api, alice: User, action: str) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=action != "activate")
    spellings: list[UUID | str] = [alice.pk, alice.pk, alice.pk.hex]
    spellings.append(str(alice.pk).upper())
    assert outcome(boss, action, spellings) == (1, [])
    assert Event.objects.filter(action=EVENTS[action]).count() == 1


@pytest.mark.parametrize("action", EVENTS)
def test_again_is_no_fault_and_no_event(boss: Api, alice: User, action: str) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=action != "activate")
    outcome(boss, action, [alice.pk])
    again = outcome(boss, action, [alice.pk])
    assert again == ((0, names(alice.pk)) if action == "delete" else (1, []))
    assert Event.objects.filter(action=EVENTS[action]).count() == 1


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_the_last_owner_stays(boss: Api, acme: Tenant, action: str) -> None:
    ids = [acme.owner.pk, acme.admin.pk, acme.member.pk]
    assert outcome(boss, action, ids) == (2, names(acme.owner.pk))
    assert User.objects.get(pk=acme.owner.pk).is_active


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_of_two_last_owners_neither_goes(boss: Api, acme: Tenant, action: str) -> None:
    partner = add_member(acme.organization, Role.OWNER)
    ids = [acme.owner.pk, partner.pk, acme.member.pk]
    assert outcome(boss, action, ids) == (1, names(acme.owner.pk, partner.pk))
    assert outcome(boss, action, [partner.pk]) == (1, [])


def test_who_is_held_by_one_of_two_organizations_stays(boss: Api, acme: Tenant) -> None:
    other = make_organization("Other")
    add_member(other, Role.OWNER, user=acme.admin)
    add_member(other, Role.OWNER, user=acme.owner)
    held = names(acme.owner.pk, acme.admin.pk)
    ids = [acme.owner.pk, acme.admin.pk]
    assert outcome(boss, "deactivate", ids) == (0, held)
    assert outcome(boss, "deactivate", [acme.admin.pk]) == (1, [])


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_every_other_superuser_may_go_but_the_caller(
    boss: Api, root: User, second: User, action: str
) -> None:
    ids = [root.pk, second.pk]
    assert outcome(boss, action, ids) == (1, names(root.pk))
    assert list(User.objects.active_superusers()) == [root]


@pytest.mark.parametrize("action", EVENTS)
def test_a_hundred_are_done(boss: Api, action: str) -> None:
    ids = people(100, is_active=action != "activate")
    assert outcome(boss, action, ids) == (100, [])
    assert Event.objects.filter(action=EVENTS[action]).count() == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "deactivate", "user_ids": []}, "user_ids"),
        ({"action": "deactivate", "user_ids": [str(UUID(int=1))] * 101}, "user_ids"),
        ({"action": "deactivate", "user_ids": None}, "user_ids"),
        ({"action": "deactivate", "user_ids": "x"}, "user_ids"),
        ({"action": "deactivate", "user_ids": {}}, "user_ids"),
        ({"action": "deactivate"}, "user_ids"),
        ({"action": "deactivate", "user_ids": ["x"]}, "user_ids.0"),
        ({"action": "deactivate", "user_ids": [None]}, "user_ids.0"),
        ({"action": "deactivate", "user_ids": [-1]}, "user_ids.0"),
        ({"action": "deactivate", "user_ids": [10**50]}, "user_ids.0"),
        ({"action": "promote", "user_ids": [str(UUID(int=1))]}, "action"),
        ({"action": "DELETE", "user_ids": [str(UUID(int=1))]}, "action"),
        ({"action": None, "user_ids": [str(UUID(int=1))]}, "action"),
        ({"user_ids": [str(UUID(int=1))]}, "action"),
    ],
)
def test_a_bad_body_does_nothing(
    boss: Api, alice: User, body: dict[str, Any], field: str
) -> None:
    if isinstance(body.get("user_ids"), list) and body["user_ids"]:
        body = body | {"user_ids": [*body["user_ids"], str(alice.pk)]}
    assert fields(boss.post(PATH, body)) == [field]
    assert User.objects.get(pk=alice.pk).is_active


def cost(boss: Api, action: str, number: int) -> int:
    """Of people who own something and are signed in twice."""
    ids = people(number, is_active=action != "activate", email_verified=True)
    organization = make_organization(f"Of {number}")
    add_member(organization, Role.OWNER)
    for user in User.objects.filter(pk__in=ids):
        add_member(organization, Role.OWNER, user=user)
        if user.is_active:
            start_session(user=user)
    with CaptureQueriesContext(connection) as statements:
        assert outcome(boss, action, ids) == (number, [])
    return len(statements)


@pytest.mark.parametrize("action", EVENTS)
def test_a_hundred_cost_as_many_statements_as_two(boss: Api, action: str) -> None:
    few, many = cost(boss, action, 2), cost(boss, action, 100)
    # SQLite takes so many values a statement: a hundred rows are inserted in two.
    batches = {"user.deleted": 3, "user.deactivated": 2, "user.activated": 1}
    more = batches[EVENTS[action]] if connection.vendor == "sqlite" else 0
    assert few <= many <= few + more <= 30


def test_nobody_else_does_anything_to_many(
    api: SignIn, acme: Tenant, alice: User
) -> None:
    answer = bulk(api(acme.owner), "deactivate", [alice.pk])
    refused(answer, 403, "permission_denied")
    assert User.objects.get(pk=alice.pk).is_active
    assert not Session.objects.exclude(ended_at=None).exists()


@pytest.mark.parametrize("value", [1, True, 1.5, None, [], {}, "1", "abc"])
def test_what_is_no_id_is_told_by_its_place(boss: Api, value: Any) -> None:
    body = {"action": "activate", "user_ids": [value]}
    answer = boss.post("/admin/users/bulk-action", body)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["user_ids.0"]
