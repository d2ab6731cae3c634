"""What is forged past the console's pages: rows of any room, and dangerous actions
without the page that asks for the password.

For each room that is registered, whichever those are: one that is added tomorrow too.
"""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from organizations.roles import Role
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.organizations.cast import Tenant, add_member, make_organization, make_tenant
from tests.organizations.test_console import invite
from tests.outbox.test_console import given_up

pytestmark = pytest.mark.django_db

ROOMS = {model._meta.label_lower: model for model in admin.site._registry}
# Those that take nothing from anybody, and give nobody a right.
HARMLESS = {
    ("organizations.organization", "activate"),
    ("organizations.invitation", "revoke"),
    ("organizations.invitation", "send_again"),
    ("outbox.mail", "send_again"),
}
ACTIONS = [
    (label, action)
    for label, model in ROOMS.items()
    for action in admin.site._registry[model].actions or ()
    if (label, action) not in HARMLESS
]
# Sessions of the console, counters and what is recorded are written by any request.
PASSING = {"sessions.session", "audit.event", "admin.logentry", "limits.counter"}
# Of a person, what the form is for.
IN_THE_FORM = {"first_name", "last_name", "phone_number", "locale", "email_verified"}
IN_THE_FORM |= {"is_staff", "is_superuser", "updated_at"}
VALID = {"phone_number": "", "locale": "", "confirm_password": PASSWORD}


@pytest.fixture
def tenant(api: SignIn, root: User, alice: User, bob: User) -> Tenant:
    """A row of each kind, in each state from which an action leads."""
    tenant = make_tenant("Acme", is_active=True)
    make_organization("Shut", is_active=False)
    add_member(tenant.organization, is_active=False)
    add_member(tenant.organization, Role.OWNER)
    invite(tenant, "dana@example.com")
    api(alice)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    now = timezone.now()
    gone = {"is_active": False, "deleted_at": now}
    User.objects.filter(pk=UserFactory.create().pk).update(**gone)
    given_up()
    return tenant


def list_of(label: str) -> str:
    return f"/admin/{label.replace('.', '/')}/"


def rows() -> dict[str, list[Any]]:
    models = (model for model in apps.get_models() if not is_passing(model))
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in models
    }


def is_passing(model: type[Model]) -> bool:
    label = model._meta.label_lower
    return label in PASSING or label.startswith("limits.")


def ids_of(label: str) -> list[str]:
    return [str(pk) for pk in ROOMS[label]._default_manager.values_list("pk", flat=True)]


def everything(label: str) -> dict[str, str]:
    """A value for each column that there is."""
    fields = {field.name: "1" for field in ROOMS[label]._meta.fields}
    return fields | {"_save": "Save", "_saveasnew": "1", "_popup": "1", **CONFIRMED}


# --- By hand -----------------------------------------------------------------------


@pytest.mark.parametrize("label", ROOMS)
@pytest.mark.parametrize("page", ["add/", "{pk}/delete/"])
def test_nothing_is_added_or_deleted_in_any_room(
    console: Browser, tenant: Tenant, label: str, page: str
) -> None:
    before = rows()
    path = list_of(label) + page.format(pk=ids_of(label)[0])
    assert console.get(path).status_code == 403
    answer = console.post(path, {**everything(label), "post": "yes"})
    assert answer.status_code == 403
    assert rows() == before


@pytest.mark.parametrize("label", ROOMS)
def test_no_list_deletes_or_edits(console: Browser, tenant: Tenant, label: str) -> None:
    before = rows()
    chosen = {"_selected_action": ids_of(label), "select_across": "1", "post": "yes"}
    forged = {"action": "delete_selected", **chosen, **CONFIRMED}
    assert console.post(list_of(label), forged).status_code == 403
    # Django takes one of several by its place.
    twice = {**forged, "action": ["delete_selected", ""], "index": "0"}
    console.post(list_of(label), twice)
    edit = {f"form-0-{name}": value for name, value in everything(label).items()}
    edit |= {"form-0-id": ids_of(label)[0], "form-TOTAL_FORMS": "1"}
    console.post(list_of(label), {**edit, "form-INITIAL_FORMS": "1", "_save": "Save"})
    assert rows() == before


@pytest.mark.parametrize("label", sorted(set(ROOMS) - {"accounts.user"}))
def test_no_column_of_another_room_is_written(
    console: Browser, tenant: Tenant, label: str
) -> None:
    before = rows()
    for pk in ids_of(label):
        console.post(f"{list_of(label)}{pk}/change/", everything(label))
    assert rows() == before


def test_of_a_person_nothing_is_written_but_what_is_in_the_form(
    console: Browser, tenant: Tenant, alice: User
) -> None:
    before = dict(User.objects.values().get(pk=alice.pk))
    forged = everything("accounts.user") | VALID
    del forged["_saveasnew"], forged["_popup"]
    forged |= {"groups": "1", "user_permissions": "1"}
    page = f"{list_of('accounts.user')}{alice.pk}/change/"
    assert console.post(page, forged).status_code == 302
    after = dict(User.objects.values().get(pk=alice.pk))
    changed = {name for name in after if after[name] != before[name]}
    assert changed - IN_THE_FORM == set()
    assert {"is_superuser", "first_name"} <= changed
    for action in ("user.rights_changed", "user.updated"):
        assert Event.objects.filter(action=action, target_id=alice.pk).count() == 1


# --- Past the question -------------------------------------------------------------


@pytest.mark.parametrize(("label", "action"), ACTIONS)
def test_no_dangerous_action_is_done_by_a_cookie_alone(
    console: Browser, tenant: Tenant, label: str, action: str
) -> None:
    """Whatever is claimed to have been confirmed; then the same with the password."""
    before = rows()
    form = {"action": action, "_selected_action": ids_of(label)}
    for claim in ({}, {"confirmed": "yes"}, {"confirmed": "yes", "select_across": "1"}):
        answer = console.post(list_of(label), form | claim)
        assert answer.headers["Content-Type"].startswith("text/html")
        assert rows() == before
    answer = console.post(list_of(label), form | CONFIRMED)
    exported = answer.headers["Content-Type"].startswith("text/csv")
    assert exported or rows() != before


@pytest.mark.parametrize("password", ["\0", "wrong\0", "ü" * 2000])
def test_an_odd_password_confirms_nothing_and_is_no_fault(
    console: Browser, alice: User, password: str
) -> None:
    form = {"action": "deactivate", "_selected_action": str(alice.pk)}
    form |= {"confirmed": "yes", "confirm_password": password}
    assert console.post(list_of("accounts.user"), form).status_code == 200
    assert User.objects.get(pk=alice.pk).is_active


@pytest.mark.parametrize("verified", [True, False])
def test_whether_an_address_is_verified_is_said_by_who_knows_the_password(
    console: Browser, alice: User, verified: bool
) -> None:
    """With it people accept what that address was invited to; where it is required,
    nobody signs in without it.
    """
    User.objects.filter(pk=alice.pk).update(email_verified=not verified)
    page = f"{list_of('accounts.user')}{alice.pk}/change/"
    form = {"first_name": "Alice", "initial-email_verified": str(not verified)}
    form |= {"email_verified": "on"} if verified else {}
    for password in ({}, {"confirm_password": "wrong"}):
        console.post(page, form | password)
        assert User.objects.get(pk=alice.pk).email_verified is not verified
    console.post(page, form | CONFIRMED)
    assert User.objects.get(pk=alice.pk).email_verified is verified


def test_a_password_of_another_confirms_nothing(
    api: SignIn, root: User, alice: User
) -> None:
    root.set_password("another phrase of four words")
    root.save()
    browser = Browser(api())
    browser.sign_in(root.email, "another phrase of four words")
    form = {"action": "deactivate", "_selected_action": str(alice.pk), **CONFIRMED}
    form |= {"username": alice.email, "user": str(alice.pk)}
    assert browser.post(list_of("accounts.user"), form).status_code == 200
    assert User.objects.get(pk=alice.pk).is_active
