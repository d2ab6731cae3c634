"""Everybody's sessions, as superusers see and end them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.plans import plans, postgresql, prefer_indexes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

PATH = "/admin/sessions"


def listed(boss: Api, query: str = "") -> list[dict[str, Any]]:
    answer = boss.get(f"{PATH}?limit=100&{query}")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    assert answer.json()["pagination"]["total"] == len(rows)
    return rows


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["id"] for row in rows}


def expire(session: Session) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.filter(pk=session.pk).update(expires_at=past)


def test_a_session_says_whose_it_is(api: SignIn, boss: Api, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(last_name="Liddell")
    agent = {"User-Agent": "Firefox/1.0", "X-Device-Id": "phone"}
    login = {"email": alice.email, "password": "correct horse battery staple"}
    assert api().post("/auth/login", login, headers=agent).status_code == 200
    (row,) = listed(boss, f"user_id={alice.pk}")
    assert (row["user_id"], row["user_email"]) == (str(alice.pk), alice.email)
    assert row["user_full_name"] == "Alice Liddell"
    assert (row["device_id"], row["ip_address"]) == ("phone", "198.51.100.7")
    assert row["is_active"] is True
    assert all(row[name].endswith("Z") for name in ("created_at", "expires_at"))


@pytest.mark.parametrize(
    ("first", "last", "shown"), [("A", "", "A"), ("A", "B", "A B"), ("", "", None)]
)
def test_a_name_is_whole_or_null(
    api: SignIn, boss: Api, first: str, last: str, shown: str | None
) -> None:
    person = UserFactory.create(first_name=first, last_name=last)
    api(person)
    (row,) = listed(boss, f"user_id={person.pk}")
    assert row["user_full_name"] == shown


def test_active_ones_are_listed_unless_asked_otherwise(
    api: SignIn, boss: Api, alice: User, bob: User
) -> None:
    on, off, late = api(alice).session, api(bob), api(alice).session
    expire(late)
    off.post("/auth/logout")
    active, past = listed(boss), listed(boss, "is_active=false")
    assert ids(active) == {str(on.pk), str(boss.session.pk)}
    assert ids(past) == {str(off.session.pk), str(late.pk)}
    assert {row["is_active"] for row in active} == {True}
    assert {row["is_active"] for row in past} == {False}
    assert ids(listed(boss, "is_active=true")) == ids(active)


def test_one_person_s_are_picked_out(
    api: SignIn, boss: Api, alice: User, bob: User
) -> None:
    mine = {str(api(alice).session.pk) for _ in range(2)}
    api(bob)
    assert ids(listed(boss, f"user_id={alice.pk}")) == mine
    assert listed(boss, f"user_id={uuid4()}") == []
    assert listed(boss, f"user_id={alice.pk}&is_active=false") == []
    assert fields(boss.get(f"{PATH}?user_id=x")) == ["user_id"]


@pytest.mark.parametrize("sort_by", ["created_at", "last_used_at", "expires_at"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_pages_repeat_and_drop_none(
    api: SignIn, boss: Api, alice: User, sort_by: str, sort_order: str
) -> None:
    for _ in range(8):
        api(alice)
    Session.objects.update(created_at=timezone.now())
    query = f"{PATH}?limit=2&sort_by={sort_by}&sort_order={sort_order}&page="
    pages = [boss.get(f"{query}{number}").json()["data"] for number in range(1, 6)]
    seen = [row["id"] for page in pages for row in page]
    assert len(seen) == len(set(seen)) == 9


def test_the_newest_are_first(api: SignIn, boss: Api, alice: User) -> None:
    made = [boss.session, api(alice).session, api(alice).session]
    assert [row["id"] for row in listed(boss)] == [str(s.pk) for s in made[::-1]]


def test_a_list_costs_three_statements_at_most(
    api: SignIn, boss: Api, django_assert_num_queries: Any
) -> None:
    for limit, number in ((1, 3), (100, 2), (6, 3)):
        with django_assert_num_queries(number):
            assert boss.get(f"{PATH}?limit={limit}").json()["data"]
        for _ in range(5):
            api(UserFactory.create())


def test_an_ended_device_is_out_at_once_and_alone(
    api: SignIn, boss: Api, alice: User
) -> None:
    """Check 89."""
    gone, stays = api(alice), api(alice)
    first = Session.objects.filter(user=alice).earliest("pk")
    answer = boss.delete(f"{PATH}/{first.pk}")
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    refused(gone.get("/users/me"), 401)
    token = {"refresh_token": gone.tokens.refresh_token}
    refused(gone.post("/auth/refresh", token), 401)
    assert stays.get("/users/me").status_code == 200
    assert Session.objects.get(pk=first.pk).end_reason == "revoked"


def test_ending_it_again_is_no_fault(
    api: SignIn, boss: Api, root: User, alice: User
) -> None:
    session = api(alice).session
    for _ in range(3):
        assert boss.delete(f"{PATH}/{session.pk}").status_code == 200
    event = Event.objects.get(action="session.ended")
    assert (event.target_id, event.actor_id) == (session.pk, root.pk)
    assert event.data["reason"] == "revoked"


def test_one_that_expired_is_left_as_it_is(api: SignIn, boss: Api, alice: User) -> None:
    session = api(alice).session
    expire(session)
    assert boss.delete(f"{PATH}/{session.pk}").status_code == 200
    assert Session.objects.get(pk=session.pk).ended_at is None
    assert not Event.objects.filter(action="session.ended").exists()


def test_one_s_own_can_be_ended(boss: Api) -> None:
    assert boss.delete(f"{PATH}/{boss.session.pk}").status_code == 200
    refused(boss.get(PATH), 401)


def test_an_unknown_one_is_not_found(boss: Api) -> None:
    refused(boss.delete(f"{PATH}/{uuid4()}"), 404, "not_found")


def test_nobody_else_ends_another_s(api: SignIn, alice: User, bob: User) -> None:
    victim = api(alice)
    refused(api(bob).delete(f"{PATH}/{victim.session.pk}"), 403, "permission_denied")
    refused(victim.delete(f"{PATH}/{victim.session.pk}"), 403, "permission_denied")
    assert victim.get("/users/me").status_code == 200


@postgresql
def test_a_page_is_read_in_the_order_of_an_index(boss: Api) -> None:
    """Of ten million it took twelve seconds to sort them all."""
    prefer_indexes()
    with plans("LIMIT") as found:
        listed(boss)
    [plan] = found
    assert "using sessions_by_age" in plan
    assert "Sort" not in plan
