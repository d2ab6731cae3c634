"""After the grace period nothing is left of a person but what happened."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import departures, services
from accounts.errors import LastOwner
from accounts.models import User
from accounts.services import leaving
from audit.models import Event
from config.errors import DomainError, NotFound
from outbox.delivery import deliver_due
from outbox.models import Mail
from outbox.sealing import unseal
from sessions_app.models import Session
from sessions_app.services import Tokens, start_session
from tests.accounts.test_export import DEVICE, EMAIL, TRACES, dump, live, traces
from tests.accounts.test_races import at_once
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import mails, token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]

Clock = time_machine.Traveller
purge = services.purge_accounts
BLURRED = {"actor_label", "target_label", "address", "agent"}
LEAVE = {"current_password": PASSWORD}


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def due(number: int = 1, **changes: Any) -> list[User]:
    """People whose grace is over, each with a session and its event."""
    people = UserFactory.create_batch(number)
    for user in people:
        start_session(user=user)
    changes = changes or {"leaving_since": timezone.now() - timedelta(days=15)}
    User.objects.filter(pk__in=[user.pk for user in people]).update(**changes)
    return people


def anonymized(*people: User) -> list[bool]:
    return [bool(User.objects.get(pk=user.pk).anonymized_at) for user in people]


@pytest.mark.parametrize("way", ["leaving", "deleted"])
def test_nothing_is_left_of_a_person_but_what_happened(
    api: SignIn, root: User, clock: Clock, way: str
) -> None:
    user, client = live(api, root)
    if way == "leaving":
        assert client.delete("/users/me", json=LEAVE).status_code == 200
    else:
        assert api(root).delete(f"/users/{user.pk}").status_code == 200
    assert traces() == TRACES
    before = list(Event.objects.order_by("pk"))
    clock.shift(timedelta(days=14 if way == "leaving" else 30))
    assert purge() == 1

    pseudonym = User.objects.get(pk=user.pk).email
    after = list(Event.objects.order_by("pk"))
    kept, added = after[: len(before)], after[len(before) :]
    actions = ["user.deleted", "user.anonymized"][way == "deleted" :]
    assert [event.action for event in added] == actions
    for old, new in zip(before, kept, strict=True):
        # Of others' deeds only the name of whom they concern is blurred.
        blurred = {"target_label"} if old.actor_id == root.pk else BLURRED
        for name in {field.name for field in Event._meta.get_fields()} - blurred:
            assert getattr(old, name) == getattr(new, name)
    for event in after:
        assert event.actor_id != user.pk or event.actor_label == pseudonym
        assert event.target_id != user.pk or event.target_label == pseudonym
    for rows in (user.sessions.all(), user.proofs.all(), Mail.objects.of(user.pk)):
        assert not rows.exists()

    [final] = mails(to=EMAIL)
    assert (final.kind, final.person_id) == ("accounts.account_deleted", None)
    assert unseal(final.sealed)["final"] is True
    assert deliver_due() >= 1
    assert traces() == {"zuleika", "quartermaine"}
    assert dump().count(EMAIL) == dump().count("zuleika") == 1
    clock.shift(timedelta(days=7))
    call_command("purge_mails")
    assert traces() == set()


def test_what_a_device_was_called_is_personal_too(
    api: SignIn, root: User, clock: Clock
) -> None:
    """A name that the person gave it, or a User-Agent that nobody knows."""
    _, client = live(api, root, agent=f"{DEVICE}/1.0")
    body = {"device_name": "Zuleika's phone"}
    assert client.patch(f"/sessions/{client.session.pk}", body).status_code == 200
    assert client.delete("/users/me", json=LEAVE).status_code == 200
    clock.shift(timedelta(days=14))
    assert purge() == 1
    mails(to=EMAIL)[0].delete()
    assert traces() == set()


def test_the_address_is_free_again_for_an_account_without_a_past(
    api: SignIn, root: User, clock: Clock
) -> None:
    user, client = live(api, root)
    client.delete("/users/me", json=LEAVE)
    link = {"token": token("leaving_started")}
    clock.shift(timedelta(days=14))
    assert purge() == 1
    login = {"email": EMAIL, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 401
    assert api().post("/auth/stay", link).status_code == 400
    fresh = {"email": EMAIL, "password": PASSWORD, "first_name": "New"}
    answer = api().post("/auth/register", fresh)
    assert answer.status_code == 201
    new = User.objects.get(pk=answer.json()["id"])
    held = api(new).get("/users/me/export").json()
    assert held["account"]["last_name"] == held["account"]["phone_number"] == ""
    assert held["account"]["preferences"] == {}
    assert [len(held[name]) for name in ("sessions", "events", "mails")] == [1, 3, 1]
    assert str(user.pk) not in str(held)


def test_whoever_is_anonymised_is_nowhere_and_comes_back_never(
    api: SignIn, root: User
) -> None:
    [gone] = due()
    assert purge() == 1
    client = api(root)
    assert [row["id"] for row in client.get("/users").json()["data"]] == [str(root.pk)]
    assert client.get("/users?search=deleted").json()["data"] == []
    on = {"is_active": True}
    assert client.patch(f"/users/{gone.pk}", on).status_code == 404
    refused = services.activate_users(user_ids=[gone.pk], by=None)
    assert isinstance(refused[gone.pk], NotFound)
    assert not User.objects.filter(pk=gone.pk, is_active=True).exists()


def test_the_database_holds_both_invariants(alice: User) -> None:
    rows = User.objects.filter(pk=alice.pk)
    name = "an_anonymized_person_is_deleted"
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        rows.update(anonymized_at=timezone.now())
    due()
    assert purge() == 1
    for column in ("data", "action", "actor_id", "at"):
        change = f"UPDATE audit_event SET {column} = {column}"  # noqa: S608  # a list
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(change)


@pytest.mark.parametrize("chosen", [None, 3])
@pytest.mark.parametrize(
    ("setting", "days"), [("LEAVING_GRACE", 14), ("DELETED_GRACE", 30)]
)
def test_a_grace_is_kept_to_the_second(
    clock: Clock, settings: Settings, setting: str, days: int, chosen: int | None
) -> None:
    if chosen:
        setattr(settings, setting, timedelta(days=chosen))
    changes: dict[str, Any] = {"leaving_since": timezone.now()}
    if setting == "DELETED_GRACE":
        changes = {"deleted_at": timezone.now(), "is_active": False}
    [user] = due(1, **changes)
    clock.shift(timedelta(days=chosen or days, seconds=-1))
    assert (purge(), anonymized(user)) == (0, [False])
    clock.shift(timedelta(seconds=1))
    assert (purge(), anonymized(user)) == (1, [True])
    assert purge() == 0


def test_the_last_word_can_be_switched_off(settings: Settings) -> None:
    settings.NOTICES_OFF = ["account_deleted"]
    due()
    assert (purge(), mails()) == (1, [])


# --- Some, many, at once -----------------------------------------------------------


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Whom a guard of a higher app keeps."""
    ids: list[UUID] = []

    def guard(going: Sequence[UUID]) -> dict[UUID, DomainError]:
        return {pk: LastOwner() for pk in going if pk in ids}

    monkeypatch.setattr(departures, "guards", [guard])
    return ids


def test_whoever_must_stay_stays_whole_and_the_others_go(
    held: list[UUID], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leaving, "BATCH", 2)
    people = due(5)
    held += [people[0].pk, people[3].pk]
    before = User.objects.filter(pk__in=held).order_by("pk").values()
    whole = list(before)
    call_command("purge_accounts")
    assert capsys.readouterr().out == "Anonymised 3 accounts.\n"
    assert anonymized(*people) == [False, True, True, False, True]
    assert list(before.all()) == whole
    assert Session.objects.filter(user__in=held).count() == Session.objects.count() == 2
    assert {mail.recipient for mail in mails()} == {people[n].email for n in (1, 2, 4)}
    held.clear()
    assert purge() == 2


def test_nobody_stops_the_purge_by_taking_a_pseudonym(api: SignIn) -> None:
    people = due(3)
    trap = f"deleted-{people[1].pk}@deleted.invalid"
    body = {"email": trap, "password": PASSWORD, "first_name": "A"}
    assert api().post("/auth/register", body).status_code < 500
    assert purge() == 3
    assert anonymized(*people) == [True] * 3


def test_an_account_costs_the_same_however_much_there_is_of_it() -> None:
    costs = []
    for number, sessions in ((1, 0), (2, 0), (3, 0), (1, 15)):
        for user in due(number):
            for _ in range(sessions):
                start_session(user=User.objects.get(pk=user.pk))
        with CaptureQueriesContext(connection) as queries:
            assert purge() == number
        costs.append(len(queries))
    one, two, three, much = costs
    assert two - one == three - two <= 40
    assert much == one


@pytest.mark.django_db(transaction=True)
def test_purges_at_once_do_each_account_once() -> None:
    long_ago = timezone.now() - timedelta(days=31)
    for _ in range(2):
        people = due(4) + due(2, is_active=False, deleted_at=long_ago)
        assert sum(at_once([purge] * 3)) == 6
        assert all(anonymized(*people))
    assert Event.objects.filter(action="user.anonymized").count() == 12
    assert len(mails("account_deleted")) == len(mails()) == 12
    assert Event.objects.filter(action="user.deleted").count() == 8


@pytest.mark.django_db(transaction=True)
def test_of_a_purge_and_a_return_at_one_instant_one_happens() -> None:
    for _ in range(6):
        [user] = due()
        back = partial(services.sign_in, email=user.email, password=PASSWORD)
        number, outcome = at_once([purge, back])
        stayed = isinstance(outcome, Tokens)
        assert (number == 0) is stayed
        assert stayed or outcome in {"invalid_credentials", "session_ended"}
        row = User.objects.get(pk=user.pk)
        assert (row.is_active, row.anonymized_at is None) == (stayed, stayed)
        assert (row.leaving_since is None) is stayed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["_anonymize", "_close"])
def test_whoever_returns_while_the_purge_is_at_it_is_not_purged(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    [user] = due()
    step: Callable[[UUID], bool] = getattr(leaving, moment)

    def back() -> None:
        services.come_back(User.objects.get(pk=user.pk))

    def overtaken(pk: UUID) -> bool:
        if moment == "_close" and connection.vendor == "sqlite":
            back()  # Nobody else writes inside a transaction here.
        else:
            at_once([back])
        return step(pk)

    monkeypatch.setattr(leaving, moment, overtaken)
    assert purge() == 0
    row = User.objects.get(pk=user.pk)
    assert (row.email, row.first_name) == (user.email, user.first_name)
    assert (row.is_active, row.deleted_at, row.anonymized_at) == (True, None, None)
    assert not Event.objects.filter(action="user.deleted").exists()
    assert user.sessions.count() == 1
