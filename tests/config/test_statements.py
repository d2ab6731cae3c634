"""Queries that are written once: the same rows as the ORM's, whatever is filled in."""

from uuid import UUID

import pytest
from django.db.models import Q

from accounts.models import User
from config.statements import write
from tests.factories import UserFactory

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
