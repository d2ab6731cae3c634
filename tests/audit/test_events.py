"""Events are added with the change, and stay as they are."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts import services as accounts
from accounts.models import User
from audit import services as audit
from audit.models import AppendOnly, Event, Outcome
from config import context
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(alice: User) -> Event:
    return audit.record("thing.done", actor=alice, target=alice, number=1)


def test_an_event_says_who_did_what_from_where(alice: User, bob: User) -> None:
    context.enter(
        context.RequestContext(
            request_id="r", address="203.0.113.1", agent="a\0gent", session_id=bob.pk
        )
    )
    event = audit.record("thing.done", actor=alice, target=bob, number=1)
    stored = Event.objects.get(pk=event.pk)
    assert (stored.actor_id, stored.actor_label) == (alice.pk, alice.email)
    assert (stored.target_type, stored.target_id) == ("user", bob.pk)
    assert (stored.address, stored.agent) == ("203.0.113.1", "agent")
    assert (stored.request_id, stored.session_id) == ("r", bob.pk)
    assert (stored.outcome, stored.data) == (Outcome.SUCCESS, {"number": 1})
    assert str(stored).startswith("thing.done 20")


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: Event.objects.update(action="x"),
        lambda event: Event.objects.all().delete(),
        lambda event: Event.objects.filter(pk=event.pk).update(action="x"),
    ],
)
def test_django_changes_nothing(event: Event, change: Any) -> None:
    with pytest.raises(AppendOnly):
        change(event)
    assert Event.objects.get().action == "thing.done"


@pytest.mark.parametrize(
    "column", ["action", "actor_id", "at", "data", "outcome", "request_id", "target_id"]
)
def test_the_database_changes_nothing(event: Event, column: str) -> None:
    statement = f"UPDATE audit_event SET {column} = {column}"  # noqa: S608  # a fixed list
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)


def test_a_name_may_become_a_pseudonym(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_event SET actor_label = 'gone', address = NULL")
    assert Event.objects.get().actor_label == "gone"


@pytest.mark.django_db(transaction=True)
def test_the_trigger_can_be_taken_back_and_set_again(event: Event) -> None:
    call_command("migrate", "audit", "0001", verbosity=0)
    call_command("migrate", "audit", verbosity=0)
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute("UPDATE audit_event SET action = 'x'")


def test_what_is_rolled_back_was_never_done(alice: User, root: User) -> None:
    with transaction.atomic():
        accounts.deactivate_users(user_ids=[alice.pk], by=root)
        transaction.set_rollback(True)
    assert User.objects.get(pk=alice.pk).is_active
    assert not Event.objects.exists()


def test_events_outlive_whom_they_are_about(api: SignIn, alice: User, root: User) -> None:
    api().post("/auth/login", {"email": alice.email, "password": PASSWORD})
    User.objects.filter(pk=alice.pk).delete()
    event = Event.objects.get(action="session.started")
    assert (event.actor_id, event.actor_label) == (alice.pk, alice.email)


def test_the_console_shows_and_changes_nothing(event: Event, root: User) -> None:
    client = Client(headers={"host": "testserver"})
    client.force_login(root)
    page = client.get("/admin/audit/event/")
    assert page.status_code == 200
    assert b"thing.done" in page.content
    for action in ("delete_selected", "delete"):
        forged = {"action": action, "_selected_action": [str(event.pk)], "post": "yes"}
        client.post("/admin/audit/event/", forged)
    assert client.post(f"/admin/audit/event/{event.pk}/delete/").status_code == 403
    assert client.post(f"/admin/audit/event/{event.pk}/change/", {}).status_code == 403
    assert client.post("/admin/audit/event/add/", {}).status_code == 403
    assert Event.objects.filter(action="thing.done").count() == 1


@pytest.mark.parametrize(
    ("password", "action", "outcome"),
    [(PASSWORD, "session.started", "success"), ("wrong", "sign_in.failed", "failure")],
)
def test_a_flow_leaves_one_event(
    api: SignIn, alice: User, password: str, action: str, outcome: str
) -> None:
    body = {"email": alice.email, "password": password}
    answer = api().post("/auth/login", body)
    event = Event.objects.get()
    assert (event.action, event.outcome) == (action, outcome)
    assert event.request_id == answer.headers["X-Request-ID"]
    assert event.address == "198.51.100.7"
