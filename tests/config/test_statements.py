"""Queries that are written once: the same rows as the ORM's, whatever is filled in."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Model, Q
from django.forms import model_to_dict
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Event
from config.statements import insert, insert_and_ask, write
from tests.factories import UserFactory
from tests.plans import ON_POSTGRESQL

pytestmark = pytest.mark.django_db

NOBODY = UUID(int=7)


def test_each_run_has_values_of_its_own() -> None:
    people = [UserFactory.create() for _ in range(3)]
    one = write(
        User.objects.get_queryset().filter(pk=NOBODY).values_list("email"),
        (User._meta.pk, NOBODY),
    )
    found = [one.rows(person.pk) for person in people]
    assert found == [[[person.email]] for person in people]
    assert one.rows(NOBODY) == []


def test_a_value_may_stand_in_several_places() -> None:
    """And beside it stays what is no stand-in."""
    UserFactory.create(first_name="Ada", last_name="Bell", locale="it")
    UserFactory.create(first_name="Cleo", last_name="Ada", locale="it")
    UserFactory.create(first_name="Ada", last_name="Dahl", locale="en")
    rows = User.objects.get_queryset().filter(Q(first_name="?") | Q(last_name="?"))
    names = User._meta.get_field("first_name")
    named = write(rows.filter(locale="it").values_list("last_name"), (names, "?"))
    assert sorted(named.rows("Ada")) == [["Ada"], ["Bell"]]
    assert named.rows("Bell") == [["Bell"]]


def test_what_is_not_in_the_query_has_no_place_in_it() -> None:
    rows = User.objects.get_queryset().filter(pk=NOBODY).values_list("email")
    with pytest.raises(ValueError, match=str(UUID(int=8))):
        write(rows, (User._meta.pk, NOBODY), (User._meta.pk, UUID(int=8)))


FULL: dict[str, Any] = {
    "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "action": "some.thing",
    "actor_id": NOBODY,
    "actor_label": "Ada ünd 'Bob' %s",
    "target_type": "thing",
    "target_id": UUID(int=9),
    "target_label": "",
    "address": "2001:db8::7",
    "agent": "curl/8.5.0",
    "request_id": "1" * 32,
    "data": {"fields": ["a", "%s"], "n": 1, "none": None},
}


@pytest.mark.parametrize("fields", [{"action": "x"}, FULL])
def test_what_is_inserted_is_what_the_orm_would_have_saved(
    fields: dict[str, Any],
) -> None:
    row = Event(**fields)
    assert row._state.adding
    insert(row)
    assert (row._state.adding, row._state.db) == (False, "default")
    same = Event.objects.create(**fields)
    one, other = (
        model_to_dict(Event.objects.get(pk=each.pk), exclude=["id", "at"])
        for each in (row, same)
    )
    assert one == other
    assert Event.objects.get(pk=row.pk).at == row.at


def test_each_of_several_is_a_row_of_its_own() -> None:
    insert(Event(action="one"), Event(action="two"))
    insert()
    assert sorted(Event.objects.values_list("action", flat=True)) == ["one", "two"]


def test_a_row_that_the_database_refuses_is_not_taken_for_added() -> None:
    row = Event(action="x", outcome="nonsense")
    with pytest.raises(DatabaseError), transaction.atomic():
        insert(row)
    assert row._state.adding
    with pytest.raises(DatabaseError), transaction.atomic():
        insert_and_ask([Event(action="before"), row], actions_of("x"), "x")
    assert row._state.adding
    assert not Event.objects.exists()


def actions_of(value: str) -> Any:
    rows = Event.objects.filter(action="?", target_label="%")
    return write(rows.values_list("agent"), (Event._meta.get_field("action"), "?"))


def test_rows_and_a_question_are_one_statement_where_the_engine_can() -> None:
    insert(Event(action="known", agent="first", target_label="%"))
    added: list[Model] = [Event(action="new", agent="second"), Event(action="newer")]
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert insert_and_ask(added, actions_of("?"), "known") == [["first"]]
        assert len(queries) == (1 if ON_POSTGRESQL else 3)
        assert insert_and_ask([Event(action="other")], actions_of("?"), "none") == []
        added = [Event(action="new"), UserFactory.build(email="a@example.com")]
    assert Event.objects.filter(action__in=["new", "newer"]).count() == 3
    assert User.objects.filter(email="a@example.com").exists()
