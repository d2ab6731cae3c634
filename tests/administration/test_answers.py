"""What every call below /admin answers: its shape, to whom, and what is recorded."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from audit.models import Event
from organizations.models import Organization
from tests.administration.shapes import (
    EVENT,
    MEMBER,
    ORGANIZATION,
    PAGINATION,
    SESSION,
    USER,
)
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db

NEW_USER = {"email": "new@example.com", "password": PASSWORD, "first_name": "New"}

#                 method, path, body, status, what the answer consists of
CALLS: dict[str, tuple[str, str, Any, int, set[str]]] = {
    "make a user": ("POST", "/users", NEW_USER, 201, USER),
    "see a user": ("GET", "/users/{person}", None, 200, USER),
    "change a user": ("PUT", "/users/{person}", {"first_name": "N"}, 200, USER),
    "make one": ("POST", "/organizations", {"name": "N", "slug": "n"}, 201, ORGANIZATION),
    "see one": ("GET", "/organizations/{acme}", None, 200, ORGANIZATION),
    "change one": ("PUT", "/organizations/{acme}", {"name": "N"}, 200, ORGANIZATION),
}
PAGES = {
    "/users": USER,
    "/organizations": ORGANIZATION,
    "/organizations/{acme}/members": MEMBER,
    "/sessions": SESSION,
}
#                 method, path, body, action recorded, whether in an organization
ACTS: dict[str, tuple[str, str, Any, str, bool]] = {
    "create": ("POST", "/users", NEW_USER, "user.created", False),
    "rename": ("PUT", "/users/{person}", {"first_name": "N"}, "user.updated", False),
    "move": ("PUT", "/users/{person}", {"email": "n@x.io"}, "email.changed", False),
    "promote": (
        "PUT",
        "/users/{person}",
        {"is_superuser": True},
        "user.rights_changed",
        False,
    ),
    "delete": ("DELETE", "/users/{person}", None, "user.deleted", False),
    "shut out": ("POST", "/users/{person}/deactivate", None, "user.deactivated", False),
    "sign out": ("DELETE", "/sessions/{session}", None, "session.ended", False),
    "name": ("PUT", "/organizations/{acme}", {"name": "N"}, "organization.updated", True),
    "close": (
        "PUT",
        "/organizations/{acme}",
        {"is_active": False},
        "organization.deactivated",
        True,
    ),
    "remove it": ("DELETE", "/organizations/{acme}", None, "organization.deleted", True),
    "add": (
        "POST",
        "/organizations/{acme}/members",
        {"user_id": "{stranger}", "role": "admin"},
        "member.joined",
        True,
    ),
    "remove": (
        "DELETE",
        "/organizations/{acme}/members/{person}",
        None,
        "member.left",
        True,
    ),
}


@pytest.fixture
def ids(api: SignIn, acme: Tenant, alice: User) -> dict[str, UUID]:
    session = api(acme.member).session
    return {
        "acme": acme.organization.pk,
        "person": acme.member.pk,
        "stranger": alice.pk,
        "session": session.pk,
    }


def filled(body: Any, ids: dict[str, UUID]) -> Any:
    return {
        name: value.format(**ids) if isinstance(value, str) else value
        for name, value in (body or {}).items()
    } or None


@pytest.mark.parametrize("call", CALLS)
def test_an_object_has_its_members_and_no_other(
    boss: Api, ids: dict[str, UUID], call: str
) -> None:
    method, path, body, status, members = CALLS[call]
    answer = boss.call(method, "/admin" + path.format(**ids), body)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == members
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_its_members_and_no_other(
    boss: Api, ids: dict[str, UUID], path: str
) -> None:
    answer = boss.get("/admin" + path.format(**ids))
    body = answer.json()
    assert body.keys() == {"data", "pagination"}
    assert body["pagination"].keys() == PAGINATION
    assert body["data"]
    assert all(row.keys() == PAGES[path] for row in body["data"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_log_is_read_by_cursor(boss: Api, ids: dict[str, UUID]) -> None:
    boss.put(f"/admin/users/{ids['person']}", {"first_name": "N"})
    answer = boss.get("/admin/events")
    assert answer.json().keys() == {"data", "next_cursor"}
    assert answer.json()["data"]
    assert all(row.keys() == EVENT for row in answer.json()["data"])
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("act", ACTS)
def test_each_act_leaves_one_event_of_the_superuser(
    boss: Api, root: User, ids: dict[str, UUID], act: str
) -> None:
    """Checks 126, 215 and 228."""
    method, path, body, action, of_tenant = ACTS[act]
    answer = boss.call(method, "/admin" + path.format(**ids), filled(body, ids))
    assert answer.status_code in {200, 201}, answer.text
    event = Event.objects.get(action=action)
    assert (event.actor_id, event.actor_label) == (root.pk, root.email)
    assert (event.outcome, event.address) == ("success", "198.51.100.7")
    assert event.request_id == answer.headers["X-Request-ID"]
    assert event.organization_id == (ids["acme"] if of_tenant else None)
    assert event.data.get("as_superuser", False) is of_tenant


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", ["stranger", "owner"])
def test_nobody_else_acts_here(
    api: SignIn, acme: Tenant, alice: User, ids: dict[str, UUID], act: str, who: str
) -> None:
    """Also who is an owner of what it concerns. Each try is recorded."""
    method, path, body, action, _ = ACTS[act]
    caller = api(acme.owner if who == "owner" else alice)
    answer = caller.call(method, "/admin" + path.format(**ids), filled(body, ids))
    refused(answer, 403, "permission_denied")
    assert not Event.objects.filter(action=action).exists()
    assert Event.objects.get(action="access.denied").actor_id == caller.tokens.user.pk


@pytest.mark.parametrize("path", [*PAGES, "/events", "/events?format=csv", "/stats"])
def test_nobody_else_reads_here(
    api: SignIn, acme: Tenant, ids: dict[str, UUID], path: str
) -> None:
    filled_path = "/admin" + path.format(**ids)
    refused(api(acme.owner).get(filled_path), 403, "permission_denied")
    refused(api().get(filled_path), 401, "not_authenticated")


def test_a_right_taken_away_is_gone_on_the_next_call(
    api: SignIn, boss: Api, second: User
) -> None:
    other = api(second)
    assert other.get("/admin/users").status_code == 200
    boss.put(f"/admin/users/{second.pk}", {"is_superuser": False})
    refused(other.get("/admin/users"), 403, "permission_denied")
    refused(other.put(f"/admin/users/{second.pk}", {"is_superuser": True}), 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/{id}"),
        ("PUT", "/users/{id}"),
        ("DELETE", "/users/{id}"),
        ("POST", "/users/{id}/activate"),
        ("POST", "/users/{id}/deactivate"),
        ("GET", "/organizations/{id}"),
        ("PUT", "/organizations/{id}"),
        ("DELETE", "/organizations/{id}"),
        ("GET", "/organizations/{id}/members"),
        ("POST", "/organizations/{id}/members"),
        ("DELETE", "/organizations/{id}/members/{id}"),
        ("DELETE", "/sessions/{id}"),
    ],
)
@pytest.mark.parametrize("form", ["unknown", "garbage", "slug"])
def test_what_is_not_there_is_not_found(
    boss: Api, acme: Tenant, method: str, path: str, form: str
) -> None:
    address = {"unknown": str(uuid4()), "garbage": "%00", "slug": "acme"}[form]
    refused(boss.call(method, "/admin" + path.format(id=address)), 404, "not_found")
    assert Organization.objects.count() == 1


@pytest.mark.parametrize(
    "path", ["/users", "/organizations", "/organizations/{acme}/members", "/sessions"]
)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("page=0", "page"),
        ("page=1000001", "page"),
        ("page=1.5", "page"),
        ("sort_by=password", "sort_by"),
        ("sort_by=user__password", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("is_active=maybe", "is_active"),
    ],
)
def test_a_bad_query_is_told(
    boss: Api, ids: dict[str, UUID], path: str, query: str, field: str
) -> None:
    assert fields(boss.get(f"/admin{path.format(**ids)}?{query}")) == [field]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_after_the_last_is_empty(
    boss: Api, ids: dict[str, UUID], path: str
) -> None:
    body = boss.get(f"/admin{path.format(**ids)}?page=1000000&limit=1").json()
    assert body["data"] == []
    assert body["pagination"]["page_size"] == 0
    assert body["pagination"]["has_prev"]
    assert not body["pagination"]["has_next"]


@pytest.mark.parametrize("body", [[], "x", 5, None])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users"),
        ("POST", "/users/bulk-action"),
        ("POST", "/organizations"),
        ("POST", "/organizations/{acme}/members"),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    boss: Api, ids: dict[str, UUID], method: str, path: str, body: Any
) -> None:
    answer = boss.call(method, "/admin" + path.format(**ids), body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["title"] == "Validation failed"
    assert not Event.objects.exclude(action="session.started").exists()
