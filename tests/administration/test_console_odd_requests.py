"""Whatever staff send to the console, it is no fault of ours."""

from typing import Any

import pytest

from accounts.models import User
from organizations.models import Membership
from tests.accounts.console import CONFIRMED, LOGIN, Browser
from tests.organizations.cast import Tenant
from tests.organizations.test_console import room_url

pytestmark = pytest.mark.django_db

PERSON = "/admin/accounts/user/{alice}"
ASKED = [
    f"{LOGIN}?next=%00",
    f"{LOGIN}?next=//evil.example",
    "/admin/%00/",
    "/admin/%2e%2e/",
    "/admin/nothing/",
    "/admin/accounts/",
    "/admin/jsi18n/?language=%00",
    "/admin/accounts/user/%00/change/",
    "/admin/accounts/user/_00/history/",
    f"{PERSON}/history/?p=%00",
    f"{PERSON}/history/?p=99999999999999999999",
    f"{PERSON}/change/?_changelist_filters=%00",
    f"{PERSON}/change/?_changelist_filters=q%3D%2500",
    f"{PERSON}/change/?_to_field=%00",
    f"{PERSON}/change/?_popup=%00",
    f"{PERSON}/password/",
    "/admin/accounts/user/?p=99999999999999999999",
    "/admin/accounts/user/?p=-1&o=99.-99.x",
    "/admin/accounts/user/?all=&e=1",
    "/admin/accounts/user/?q=%ED%A0%80%ff",
    "/admin/accounts/user/?is_active__exact=x&is_staff__exact=2",
    "/admin/audit/event/?at__year=0",
    "/admin/audit/event/?q=%C2%A0",
    "/admin/sessions_app/session/?q=::ffff:1.2.3.4%25eth0",
    "/admin/r/1/1/",
    "/admin/password_change/done/",
]


@pytest.mark.parametrize("path", ASKED)
def test_no_question_is_a_fault(console: Browser, alice: User, path: str) -> None:
    assert console.get(path.format(alice=alice.pk)).status_code < 500


@pytest.mark.parametrize(
    "form",
    [
        {"first_name": "a\0b"},
        {"first_name": "x" * 5000},
        {"first_name": ["a", "b"], "locale": "\0"},
        {"first_name": "A", "_popup": "1", "_to_field": "\0"},
        {"first_name": "A", "_continue": "1", "_addanother": "1"},
        {"first_name": "A", "is_superuser": "\0"},
    ],
)
def test_no_form_of_a_person_is_a_fault(
    console: Browser, alice: User, form: dict[str, Any]
) -> None:
    path = f"/admin/accounts/user/{alice.pk}/change/"
    assert console.post(path, {**form, **CONFIRMED}).status_code < 500
    assert User.objects.count() == 2


@pytest.mark.parametrize(
    "form",
    [
        {"TOTAL_FORMS": "100", "INITIAL_FORMS": "100"},
        {"TOTAL_FORMS": "99999999", "INITIAL_FORMS": "0"},
        {"TOTAL_FORMS": "-1", "INITIAL_FORMS": "-1"},
        {"TOTAL_FORMS": "\0", "INITIAL_FORMS": "x"},
        {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1", "0-id": "\0"},
        {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1", "0-id": "", "0-DELETE": "on"},
        {"TOTAL_FORMS": "1", "INITIAL_FORMS": "0", "0-role": "owner"},
        {},
    ],
)
def test_no_form_of_members_is_a_fault(
    console: Browser, acme: Tenant, form: dict[str, str]
) -> None:
    before = list(Membership.objects.order_by("pk").values())
    sent = {f"memberships-{name}": value for name, value in form.items()}
    path = room_url("organization", acme.organization)
    assert console.post(path, sent | CONFIRMED).status_code < 500
    assert list(Membership.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "form",
    [
        {"action": ["deactivate", "export"], "index": "7"},
        {"action": "deactivate", "index": "-1"},
        {"action": "deactivate", "index": "x"},
        {"action": "deactivate", "select_across": "x"},
        {"action": "deactivate", "select_across": "1", "confirm_password": "\0"},
    ],
)
def test_no_action_is_a_fault(
    console: Browser, alice: User, form: dict[str, Any]
) -> None:
    chosen = {"_selected_action": [str(alice.pk)] * 2}
    answer = console.post("/admin/accounts/user/", form | chosen)
    assert answer.status_code < 500
    assert User.objects.get(pk=alice.pk).is_active
