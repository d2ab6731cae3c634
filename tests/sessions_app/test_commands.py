"""What an operator runs: taking expired sessions away, and ending all of them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Event
from sessions_app import services
from sessions_app.errors import SessionEnded
from sessions_app.models import EndReason, Session, absolute_end
from sessions_app.services import endings, purge_sessions
from tests.conftest import SignIn
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def past_sessions(user: User, number: int, *, days: int = 1) -> None:
    """Expired so long ago, and still marked active."""
    end = datetime.now(UTC) - timedelta(days=days)
    Session.objects.bulk_create(
        Session(
            user=user,
            epoch=0,
            rotated_at=end,
            expires_at=end,
            absolute_expires_at=absolute_end(end),
        )
        for _ in range(number)
    )


def test_purging_takes_what_is_past_and_leaves_the_living(
    api: SignIn, alice: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    past_sessions(alice, 3)
    ended, living = api(bob), api(alice)
    ended.post("/auth/logout")
    call_command("purge_sessions")
    call_command("purge_sessions")
    assert capsys.readouterr().out == "Deleted 3 sessions.\nDeleted 0 sessions.\n"
    assert living.get("/users/me").status_code == 200
    # An ended one is kept until its own end: its token may still come back.
    assert Session.objects.count() == 2


def test_an_ended_session_is_purged_past_its_own_end(api: SignIn, alice: User) -> None:
    api(alice).post("/auth/logout")
    with time_machine.travel(datetime.now(UTC) + timedelta(days=7, minutes=1)):
        call_command("purge_sessions")
    assert not Session.objects.exists()


def test_the_end_itself_is_past(alice: User) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False):
        past_sessions(alice, 1, days=0)
        assert purge_sessions() == 1


def test_a_grace_can_be_left(alice: User) -> None:
    past_sessions(alice, 1, days=1)
    past_sessions(alice, 1, days=3)
    assert purge_sessions(ended_before=timedelta(days=2)) == 1
    assert Session.objects.count() == 1


def test_purging_goes_in_batches(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "PURGE_BATCH", 10)
    past_sessions(alice, 25)
    with CaptureQueriesContext(connection) as queries:
        assert purge_sessions() == 25
    deletes = [q for q in queries.captured_queries if q["sql"].startswith("DELETE")]
    assert len(deletes) >= 3
    assert not Session.objects.exists()


def test_purging_keeps_the_events(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        api(alice)
    before = Event.objects.count()
    call_command("purge_sessions")
    assert not Session.objects.exists()
    assert Event.objects.count() == before > 0


def test_ending_everything_leaves_no_token_of_before_alive(
    api: SignIn, alice: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = [api(alice), api(alice), api(bob)]
    past_sessions(bob, 1)
    call_command("end_all_sessions")
    assert capsys.readouterr().out == "Ended 3 sessions.\n"
    for client in clients:
        body = {"refresh_token": client.tokens.refresh_token}
        assert client.get("/users/me").status_code == 401
        assert client.post("/auth/refresh", body).status_code == 401
    ended = Session.objects.filter(end_reason=EndReason.OPERATOR)
    assert ended.count() == 3
    event = Event.objects.get(action="sessions.all_ended")
    assert (event.actor_id, event.data) == (None, {"number": 3})


def test_after_ending_everything_people_sign_in_again(api: SignIn, alice: User) -> None:
    api(alice)
    call_command("end_all_sessions")
    with pytest.raises(SessionEnded):
        services.start_session(user=alice)
    assert api(User.objects.get(pk=alice.pk)).get("/users/me").status_code == 200


def test_ending_everything_twice_ends_nothing_more(
    api: SignIn, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    api(alice)
    for _ in range(2):
        call_command("end_all_sessions")
    assert capsys.readouterr().out == "Ended 1 sessions.\nEnded 0 sessions.\n"


def test_a_restored_backup_is_dead_once_everything_is_ended(
    api: SignIn, alice: User
) -> None:
    """The rows come back as they were, marked active. Checks 261."""
    client = api(alice)
    backup = Session.objects.values().get()
    client.post("/auth/logout")
    Session.objects.filter(pk=backup["id"]).update(**backup)
    assert client.get("/users/me").status_code == 200
    call_command("end_all_sessions")
    Session.objects.filter(pk=backup["id"]).update(**backup)
    assert client.get("/users/me").status_code == 401


def test_ending_everything_costs_the_same_for_many(api: SignIn, alice: User) -> None:
    counts = []
    for number in (1, 12):
        for _ in range(number):
            services.start_session(user=UserFactory.create())
        with CaptureQueriesContext(connection) as queries:
            call_command("end_all_sessions")
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]
