"""`=id` in the console means the id, and asks its index."""

from uuid import uuid4

import pytest

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_id_is_found_in_every_form_of_it(alice: User) -> None:
    for form in (str(alice.pk), str(alice.pk).upper(), alice.pk.hex):
        assert User.objects.get(pk__iexact=form) == alice
    assert not User.objects.filter(pk__iexact=str(uuid4())).exists()


def test_an_id_is_compared_as_an_id(alice: User) -> None:
    asked = str(User.objects.filter(pk__iexact=str(alice.pk)).query)
    assert "UPPER" not in asked
    assert "LIKE" not in asked


@pytest.mark.parametrize("text", ["", "alice", "%", "019a"])
def test_what_is_no_id_is_no_rows(alice: User, text: str) -> None:
    assert not User.objects.filter(pk__iexact=text).exists()
    either = User.objects.filter(pk__iexact=text) | User.objects.filter(email=alice.email)
    assert either.get() == alice
