"""What the calls about people answer, beyond who may make them."""

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from audit.models import Event
from tests.conftest import SignIn
from tests.factories import UserFactory, make_superuser

pytestmark = pytest.mark.django_db

HIDDEN = {"password", "last_login", "groups", "user_permissions", "is_staff"}


def fault(answer: Any) -> tuple[str, str | None]:
    first = answer.json()["errors"][0]
    return first["code"], first["field"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"is_active": False},
        {"is_active": True},
        {"first_name": "New"},
        {"is_active": False, "last_name": "New"},
    ],
)
def test_a_change_answers_what_a_look_shows(
    api: SignIn, root: User, alice: User, body: dict[str, Any]
) -> None:
    boss = api(root)
    changed = boss.patch(f"/users/{alice.pk}", body)
    assert changed.status_code == 200
    assert changed.json() == boss.get(f"/users/{alice.pk}").json()
    assert changed.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/users/me", "/users/{root}", "/users"])
def test_no_answer_has_more_than_the_contract_names(
    api: SignIn, root: User, path: str
) -> None:
    answer = api(root).get(path.format(root=root.pk))
    [person] = answer.json().get("data", [answer.json()])
    assert person["id"] == str(root.pk)
    assert not HIDDEN & person.keys()
    assert person["created_at"].endswith("Z")
    assert person["is_superuser"] is True
    assert (person["last_name"], person["phone_number"], person["locale"]) == (None,) * 3
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_superuser_changes_another_and_is_named_for_it(
    api: SignIn, root: User, alice: User
) -> None:
    body = {"first_name": "Alicia", "phone_number": "+39 (02) 1234-567", "locale": "IT"}
    answer = api(root).patch(f"/users/{alice.pk}", body)
    assert (answer.json()["phone_number"], answer.json()["locale"]) == (
        "+39021234567",
        "it",
    )
    event = Event.objects.get(action="user.updated")
    assert (event.actor_id, event.target_id) == (root.pk, alice.pk)
    assert event.data == {"fields": sorted(body)}


@pytest.mark.parametrize("field", ["is_superuser", "email", "password"])
def test_superusers_set_no_more_than_is_documented(
    api: SignIn, root: User, alice: User, field: str
) -> None:
    before = User.objects.values().get(pk=alice.pk)
    answer = api(root).patch(f"/users/{alice.pk}", {field: True, "first_name": "New"})
    assert (answer.status_code, fault(answer)) == (422, ("not_allowed", field))
    assert User.objects.values().get(pk=alice.pk) == before


@pytest.mark.parametrize("value", [None, "", "maybe", 2, [], {}])
def test_activity_is_true_or_false(
    api: SignIn, root: User, alice: User, value: object
) -> None:
    answer = api(root).patch(f"/users/{alice.pk}", {"is_active": value})
    assert (answer.status_code, fault(answer)[1]) == (422, "is_active")
    assert User.objects.get(pk=alice.pk).is_active


@pytest.mark.parametrize("active", [True, False])
def test_the_own_activity_is_nobodys_to_set(
    api: SignIn, root: User, active: bool
) -> None:
    make_superuser()
    answer = api(root).patch(f"/users/{root.pk}", {"is_active": active})
    assert (answer.status_code, fault(answer)[0]) == (403, "own_account")
    assert User.objects.get(pk=root.pk).is_active


@pytest.mark.parametrize("path", ["/users/me", "/users/{root}"])
def test_a_superuser_is_refused_their_rights_like_anybody(
    api: SignIn, root: User, path: str
) -> None:
    answer = api(root).patch(path.format(root=root.pk), {"is_superuser": False})
    assert answer.status_code == 422
    assert User.objects.get(pk=root.pk).is_superuser


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"first_name": "New"}), ("GET", None)]
)
def test_a_deleted_person_is_not_there(
    api: SignIn, root: User, alice: User, method: str, body: Any
) -> None:
    boss = api(root)
    assert boss.delete(f"/users/{alice.pk}").status_code == 200
    for person in (alice.pk, uuid4()):
        answer = boss.call(method, f"/users/{person}", body)
        assert (answer.status_code, fault(answer)[0]) == (404, "not_found")
    assert User.objects.get(pk=alice.pk).first_name == "Alice"
    assert boss.get("/users").json()["pagination"]["total"] == 1


def test_a_deleted_person_is_not_brought_back_by_activity(
    api: SignIn, root: User, alice: User
) -> None:
    boss = api(root)
    boss.delete(f"/users/{alice.pk}")
    answer = boss.patch(f"/users/{alice.pk}", {"is_active": True})
    assert answer.status_code == 404
    assert not User.objects.get(pk=alice.pk).is_active


def test_an_inactive_person_is_deleted_too(api: SignIn, root: User, alice: User) -> None:
    boss = api(root)
    boss.patch(f"/users/{alice.pk}", {"is_active": False})
    assert boss.delete(f"/users/{alice.pk}").status_code == 200
    assert User.objects.get(pk=alice.pk).deleted_at is not None
    assert Event.objects.filter(action="user.deleted").count() == 1


@pytest.mark.parametrize(
    "form", ["abc", "{upper}", "{bare}", "{{{pk}}}", "urn:uuid:{pk}", "{pk}%0a", "{pk}/"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_id_has_one_form(
    api: SignIn, root: User, alice: User, form: str, method: str
) -> None:
    pk = str(alice.pk)
    path = form.format(pk=pk, upper=pk.upper(), bare=pk.replace("-", ""))
    answer = api(root).call(method, f"/users/{path}", {} if method == "PATCH" else None)
    assert (answer.status_code, fault(answer)[0]) == (404, "not_found")
    assert User.objects.get(pk=alice.pk).is_active


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/users/me", ["POST", "PUT"]),
        ("/users", ["POST", "PUT", "PATCH", "DELETE"]),
        ("/users/{alice}", ["POST", "PUT"]),
        ("/auth/register", ["GET", "PUT", "DELETE"]),
        ("/auth/login", ["GET", "PUT", "DELETE"]),
        ("/auth/login/oauth", ["GET", "PUT"]),
    ],
)
def test_other_methods_are_not_heard(
    api: SignIn, root: User, alice: User, path: str, methods: list[str]
) -> None:
    for method in methods:
        answer = api(root).call(method, path.format(alice=alice.pk))
        assert (answer.status_code, fault(answer)[0]) == (405, "method_not_allowed")


@pytest.mark.parametrize("state", ["deactivated", "deleted", "demoted"])
def test_a_superuser_who_is_none_any_more_is_refused_at_the_next_call(
    api: SignIn, root: User, alice: User, state: str
) -> None:
    device = api(root)
    fields: dict[str, dict[str, Any]] = {
        "deactivated": {"is_active": False},
        "deleted": {"is_active": False, "deleted_at": root.created_at},
        "demoted": {"is_superuser": False},
    }
    User.objects.filter(pk=root.pk).update(**fields[state])
    expected = 403 if state == "demoted" else 401
    for method, path in (("GET", "/users"), ("DELETE", f"/users/{alice.pk}")):
        assert device.call(method, path).status_code == expected
    assert User.objects.get(pk=alice.pk).is_active


@pytest.mark.parametrize("code", ["deactivate", "delete"])
def test_whoever_was_shut_out_signs_in_no_more(
    api: SignIn, root: User, alice: User, code: str
) -> None:
    device = api(alice)
    path = f"/users/{alice.pk}"
    if code == "delete":
        api(root).delete(path)
    else:
        api(root).patch(path, {"is_active": False})
    spent = {"refresh_token": device.tokens.refresh_token}
    assert device.post("/auth/refresh", spent).status_code == 401
    login = {"email": alice.email, "password": "correct horse battery staple"}
    assert api().post("/auth/login", login).status_code == 401
    assert device.session.end_reason == "deactivated"


def test_search_looks_at_names_and_addresses_only(api: SignIn, root: User) -> None:
    UserFactory.create(
        email="Visible@example.com",
        first_name="Zed",
        last_name="Quux",
        phone_number="+390299999999",
        locale="it",
    )
    boss = api(root)
    found = {
        text: boss.get("/users", params={"search": text}).json()["pagination"]["total"]
        for text in (
            "zed",
            "QUUX",
            "visible@",
            " zed ",
            "0299999999",
            "argon2",
            "zed quux",
        )
    }
    assert found == {
        "zed": 1,
        "QUUX": 1,
        "visible@": 1,
        " zed ": 1,
        "0299999999": 0,
        "argon2": 0,
        "zed quux": 0,
    }


def test_filters_and_search_narrow_together(api: SignIn, root: User) -> None:
    for number in range(4):
        UserFactory.create(last_name="Same", is_active=number % 2 == 0)
    query = "search=same&is_active=true&is_superuser=false&sort_by=email&sort_order=desc"
    page = api(root).get(f"/users?{query}").json()
    emails = [person["email"] for person in page["data"]]
    assert len(emails) == page["pagination"]["total"] == 2
    assert emails == sorted(emails, reverse=True)
