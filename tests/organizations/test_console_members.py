"""Members on the page of their organization: changed by the services, all or nothing."""

from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.errors import LastOwner, WrongPassword
from accounts.models import User
from audit.models import Event
from config.errors import ConfirmationNeeded
from organizations.admin import tenants
from organizations.models import Membership
from organizations.roles import Role
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member, role_of
from tests.organizations.test_console import room_url

pytestmark = pytest.mark.django_db


def form(tenant: Tenant, **changes: dict[str, Any]) -> dict[str, Any]:
    """As the page has it; `changes` by name of the person in the tenant."""
    organization = tenant.organization
    rows = organization.memberships.order_by("joined_at", "pk")
    changed = {getattr(tenant, name).pk: fields for name, fields in changes.items()}
    sent: dict[str, Any] = {"description": organization.description}
    for name in ("name", "slug"):
        sent |= dict.fromkeys((name, f"initial-{name}"), getattr(organization, name))
    for number, row in enumerate(rows):
        values = {"id": row.pk, "organization": row.organization_id, "role": row.role}
        values |= {"is_active": "on"} if row.is_active else {}
        held = {"role": row.role, "is_active": row.is_active}
        sent |= {f"initial-memberships-{number}-{k}": str(v) for k, v in held.items()}
        values |= changed.get(row.user_id, {})
        kept = {k: v for k, v in values.items() if v is not None}
        sent |= {f"memberships-{number}-{name}": str(v) for name, v in kept.items()}
    total = {"TOTAL_FORMS": len(rows), "INITIAL_FORMS": len(rows)}
    return sent | {f"memberships-{name}": str(v) for name, v in total.items()}


def save(console: Browser, tenant: Tenant, *, sure: bool = True, **changes: Any) -> str:
    """What the page says then."""
    sent = form(tenant, **changes) | (CONFIRMED if sure else {})
    answer = console.post(room_url("organization", tenant.organization), sent)
    assert answer.status_code == 302, answer.text
    return unescape(console.get(room_url("organization", tenant.organization)).text)


def told() -> list[tuple[str, Any, Any]]:
    rows = Event.objects.exclude(organization_id=None).order_by("pk")
    return list(rows.values_list("action", "target_id", "data__as_superuser"))


def test_roles_and_activity_are_changed_and_members_removed(
    console: Browser, acme: Tenant
) -> None:
    save(
        console,
        acme,
        owner={"is_active": "on"},
        admin={"role": "owner"},
        member={"DELETE": "on"},
    )
    assert role_of(acme.organization, acme.admin) == Role.OWNER
    assert role_of(acme.organization, acme.member) is None
    assert told() == [
        ("member.role_changed", acme.admin.pk, True),
        ("member.left", acme.member.pk, True),
    ]


def test_a_member_is_shut_out(console: Browser, api: SignIn, acme: Tenant) -> None:
    save(console, acme, member={"is_active": None})
    assert api(acme.member).get(acme.url).status_code == 403
    assert told() == [("member.deactivated", acme.member.pk, True)]


def test_a_form_in_which_nothing_changed_changes_nothing(
    console: Browser, acme: Tenant
) -> None:
    before = list(Membership.objects.order_by("pk").values())
    save(console, acme)
    assert list(Membership.objects.order_by("pk").values()) == before
    assert told() == []


@pytest.mark.parametrize(
    "change", [{"role": "member"}, {"is_active": None}, {"DELETE": "on"}]
)
def test_a_refusal_is_shown_and_nothing_of_the_form_is_kept(
    console: Browser, acme: Tenant, change: dict[str, Any]
) -> None:
    before = list(Membership.objects.order_by("pk").values())
    page = save(console, acme, member={"role": "admin"}, owner=change)
    assert LastOwner.message in page
    assert list(Membership.objects.order_by("pk").values()) == before
    assert told() == []


def test_ownership_is_handed_on_in_one_form(console: Browser, acme: Tenant) -> None:
    save(console, acme, owner={"role": "member"}, member={"role": "owner"})
    assert role_of(acme.organization, acme.member) == Role.OWNER
    assert role_of(acme.organization, acme.owner) == Role.MEMBER


@pytest.mark.parametrize(
    ("password", "reason"), [("", ConfirmationNeeded), ("wrong", WrongPassword)]
)
def test_members_are_changed_by_who_knows_the_password(
    console: Browser, acme: Tenant, password: str, reason: Any
) -> None:
    sent = form(acme, member={"role": "owner"}) | {"confirm_password": password}
    path = room_url("organization", acme.organization)
    assert console.post(path, sent).status_code == 302
    assert reason.message in console.get(path).text
    assert role_of(acme.organization, acme.member) == Role.MEMBER
    save(console, acme, member={"role": "owner"})
    save(console, acme, sure=False, member={"role": "admin"})
    assert role_of(acme.organization, acme.member) == Role.ADMIN


@pytest.mark.parametrize("role", ["", "king", "\0"])
def test_a_role_that_is_none_is_refused(
    console: Browser, acme: Tenant, role: str
) -> None:
    sent = form(acme, member={"role": role}) | CONFIRMED
    path = room_url("organization", acme.organization)
    assert console.post(path, sent).status_code == 200
    assert role_of(acme.organization, acme.member) == Role.MEMBER


def test_a_member_of_another_organization_cannot_be_forged_in(
    console: Browser, acme: Tenant, globex: Tenant
) -> None:
    foreign = globex.organization.memberships.get(user=globex.member)
    sent = form(acme, member={"id": foreign.pk, "role": "owner"}) | CONFIRMED
    console.post(room_url("organization", acme.organization), sent)
    assert role_of(globex.organization, globex.member) == Role.MEMBER
    assert told() == []


def test_a_forged_row_more_adds_nobody(
    console: Browser, acme: Tenant, alice: User
) -> None:
    sent = form(acme) | CONFIRMED
    more = {"role": "owner", "user": str(alice.pk), "is_active": "on"}
    sent |= {f"memberships-3-{name}": value for name, value in more.items()}
    sent["memberships-TOTAL_FORMS"] = "4"
    console.post(room_url("organization", acme.organization), sent)
    assert role_of(acme.organization, alice) is None
    assert Membership.objects.count() == 3


def test_the_first_members_are_shown_and_the_others_are_linked_to(
    console: Browser, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants, "MEMBERS_SHOWN", 2)
    page = console.get(room_url("organization", acme.organization)).text
    assert 'name="memberships-TOTAL_FORMS" value="2"' in page
    assert acme.owner.email in page
    assert f"/admin/organizations/membership/?q={acme.organization.pk}" in page


def test_the_page_costs_as_much_for_forty_as_for_three(
    console: Browser, acme: Tenant
) -> None:
    counts = []
    for number in (0, 37):
        for _ in range(number):
            add_member(acme.organization)
        with CaptureQueriesContext(connection) as queries:
            console.get(room_url("organization", acme.organization))
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]


def test_support_sees_no_form_of_members(api: SignIn, acme: Tenant, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    browser = Browser(api())
    browser.sign_in(bob.email)
    path = room_url("organization", acme.organization)
    page = browser.get(path)
    assert page.status_code == 200
    assert acme.owner.email not in page.text
    sent = form(acme, member={"role": "owner"}) | CONFIRMED
    assert browser.post(path, sent).status_code == 403
    assert role_of(acme.organization, acme.member) == Role.MEMBER
