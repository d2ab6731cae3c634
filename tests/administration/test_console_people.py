"""The page of a person in the console: everything that is known, on one page."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit import services as audit
from audit.models import Event
from config.panels import SHOWN
from organizations.roles import Role
from sessions_app.models import EndReason, Session
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.organizations.cast import add_member, make_organization

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/accounts/user/"


def page_of(console: Browser, person: User) -> str:
    page = console.get(f"{PEOPLE}{person.pk}/change/")
    assert page.status_code == 200
    return unescape(page.text)


def test_sessions_memberships_and_events_stand_on_one_page(
    console: Browser, api: SignIn, alice: User, bob: User
) -> None:
    session = api(alice).session
    organization = make_organization("Acme")
    add_member(organization, Role.ADMIN, user=alice)
    event = audit.record("thing.done", actor=bob, target=alice)
    api(bob)
    page = page_of(console, alice)
    for path in (
        f"/admin/sessions_app/session/{session.pk}/change/",
        f"/admin/organizations/organization/{organization.pk}/change/",
        f"/admin/audit/event/{event.pk}/change/",
        f"/admin/sessions_app/session/?q={alice.pk}",
        f"/admin/organizations/membership/?q={alice.pk}",
        f"/admin/audit/event/?q={alice.pk}",
    ):
        assert f'href="{path}"' in page
    assert len(set(re.findall("/admin/sessions_app/session/[0-9a-f-]+/", page))) == 1
    for word in ("Acme", "admin", "thing.done", "bob@example.com", "active"):
        assert f">{word}<" in page


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "active"),
        ({"ended_at": timezone.now(), "end_reason": EndReason.REUSE}, "ended: reuse"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expired"),
    ],
)
def test_a_session_is_told_as_what_it_is(
    console: Browser, api: SignIn, alice: User, changes: dict[str, object], told: str
) -> None:
    session = api(alice).session
    if changes:
        Session.objects.filter(pk=session.pk).update(**changes)
    assert f"<td>{told}</td>" in page_of(console, alice)


def test_who_has_nothing_has_nothing_on_the_page(console: Browser, alice: User) -> None:
    assert page_of(console, alice).count("<p>None.</p>") == 3


def test_the_page_shows_the_latest_and_costs_the_same(
    console: Browser, api: SignIn, alice: User
) -> None:
    counts = []
    for number in (1, SHOWN + 5):
        for n in range(number):
            audit.record("thing.done", actor=alice, number=n)
            add_member(make_organization(f"T {number} {n}"), user=alice)
        with CaptureQueriesContext(connection) as queries:
            page = page_of(console, alice)
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]
    assert page.count("/admin/audit/event/0") == SHOWN
    newest = Event.objects.filter(action="thing.done").first()
    assert newest is not None
    assert str(newest.pk) in page


def test_no_room_that_is_shut_is_linked_to(api: SignIn, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    browser = Browser(api())
    browser.sign_in(bob.email)
    add_member(make_organization("Acme"), user=alice)
    page = page_of(browser, alice)
    assert "Acme" in page
    assert "/admin/organizations/membership/" not in page


def test_what_can_be_done_is_offered_on_the_page(
    console: Browser, api: SignIn, alice: User
) -> None:
    page = page_of(console, alice)
    assert 'name="action" value="deactivate"' in page
    form = {"action": "deactivate", "_selected_action": str(alice.pk)}
    asked = console.post(PEOPLE, form)
    assert "They are out at once" in asked.text


def test_a_person_who_is_not_there_is_no_fault(console: Browser) -> None:
    for pk in ("abc", "00000000-0000-7000-8000-000000000000"):
        assert console.get(f"{PEOPLE}{pk}/change/").status_code == 302


def test_what_a_device_or_organization_is_called_is_text(
    console: Browser, api: SignIn, alice: User
) -> None:
    api(alice)
    Session.objects.update(device_name="<script>alert(1)</script>")
    add_member(make_organization("<script>alert(2)</script>", slug="x"), user=alice)
    page = console.get(f"{PEOPLE}{alice.pk}/change/").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") >= 2
