"""The page of a row in any room: what it offers, where it leads, how it says times."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.admin import site
from django.utils import timezone

from accounts.models import User
from audit import services as audit
from audit.models import Event
from organizations.models import Invitation, Membership, Organization, State
from organizations.roles import Role
from outbox.models import Mail, Status
from sessions_app.models import EndReason, Session
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, make_tenant
from tests.organizations.test_console import invite

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/accounts/user/"
NOW = timezone.now()
NO_PAGES = ["", "abc", "\0", "00000000-0000-7000-8000-000000000000"]


def page_url(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def list_url(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/"


def text_of(console: Browser, path: str) -> str:
    page = console.get(path)
    assert page.status_code == 200
    return unescape(page.text)


def offered(console: Browser, row: Any) -> set[str]:
    page = text_of(console, page_url(row))
    actions = site._registry[type(row)].actions or ()
    return {str(name) for name in actions if f'name="action" value="{name}"' in page}


# --- What is offered ---------------------------------------------------------------

ALIVE = {"deactivate", "end_sessions", "mail_reset_links", "delete_softly", "export"}


@pytest.mark.parametrize(
    ("changes", "sensible"),
    [
        ({}, ALIVE),
        ({"is_active": False}, {"activate", "delete_softly", "export"}),
        ({"is_active": False, "deleted_at": NOW}, {"restore", "export"}),
        (
            {"is_active": False, "deleted_at": NOW, "anonymized_at": NOW},
            {"export"},
        ),
    ],
    ids=["active", "inactive", "deleted", "anonymised"],
)
def test_a_person_is_offered_what_makes_sense(
    console: Browser, alice: User, changes: dict[str, Any], sensible: set[str]
) -> None:
    User.objects.filter(pk=alice.pk).update(**changes)
    assert offered(console, alice) == sensible


def test_nobody_is_offered_to_shut_themselves_out(console: Browser, root: User) -> None:
    assert offered(console, root) == {"end_sessions", "mail_reset_links", "export"}


def test_support_is_offered_nothing_for_those_with_rights(
    api: SignIn, alice: User, bob: User, root: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    support = Browser(api())
    support.sign_in(bob.email)
    assert offered(support, alice) == {"end_sessions", "mail_reset_links"}
    assert offered(support, root) == set()


def test_a_session_that_is_over_is_not_to_be_ended(
    console: Browser, api: SignIn, alice: User
) -> None:
    session = api(alice).session
    assert offered(console, session) == {"end_sessions"}
    Session.objects.update(ended_at=NOW, end_reason=EndReason.LOGOUT)
    assert offered(console, session) == set()


def test_an_organization_is_deleted_only_once_it_is_shut(
    console: Browser, acme: Tenant
) -> None:
    assert offered(console, acme.organization) == {"deactivate"}
    Organization.objects.update(is_active=False)
    assert offered(console, acme.organization) == {"activate", "delete_for_good"}


@pytest.mark.parametrize("role", Role)
def test_a_member_is_not_given_the_role_that_they_have(
    console: Browser, acme: Tenant, role: Role
) -> None:
    member = acme.organization.memberships.get(user=acme.member)
    Membership.objects.filter(pk=member.pk).update(role=role)
    others = {f"make_{other.value}" for other in Role if other != role}
    assert offered(console, member) == others | {"deactivate", "remove"}
    Membership.objects.filter(pk=member.pk).update(is_active=False)
    assert offered(console, member) == others | {"activate", "remove"}


def test_an_invitation_that_was_answered_is_left_alone(
    console: Browser, acme: Tenant
) -> None:
    invitation = invite(acme, "dana@example.com")
    assert offered(console, invitation) == {"revoke", "send_again"}
    Invitation.objects.update(state=State.ACCEPTED, ended_at=NOW)
    assert offered(console, invitation) == set()


def test_only_a_mail_that_was_given_up_is_sent_again(console: Browser) -> None:
    mail = Mail.objects.create(kind="accounts.welcome", recipient="a@example.com")
    assert offered(console, mail) == set()
    Mail.objects.update(status=Status.DEAD, ended_at=NOW)
    assert offered(console, mail) == {"send_again"}


# --- From a page and back ----------------------------------------------------------


def test_what_was_done_on_a_page_leads_back_to_it(console: Browser, alice: User) -> None:
    form = {"action": "deactivate", "_selected_action": str(alice.pk)}
    form["on_page_of"] = str(alice.pk)
    asked = console.post(PEOPLE, form)
    assert f'name="on_page_of" value="{alice.pk}"' in asked.text
    assert f'href="{page_url(alice)}" class="closelink"' in asked.text
    done = console.post(PEOPLE, form | CONFIRMED)
    assert (done.status_code, done.headers["location"]) == (302, page_url(alice))
    assert "1 people changed." in text_of(console, page_url(alice))


@pytest.mark.parametrize("page", NO_PAGES)
def test_without_such_a_page_it_leads_to_the_list(
    console: Browser, alice: User, page: str
) -> None:
    form = {"action": "deactivate", "_selected_action": str(alice.pk)} | CONFIRMED
    done = console.post(PEOPLE, form | {"on_page_of": page})
    assert (done.status_code, done.headers["location"]) == (302, PEOPLE)


def test_what_was_deleted_has_no_page_to_lead_back_to(
    console: Browser, acme: Tenant
) -> None:
    organization = acme.organization
    Organization.objects.update(is_active=False)
    form = {"action": "delete_for_good", "_selected_action": str(organization.pk)}
    form |= {"on_page_of": str(organization.pk)} | CONFIRMED
    done = console.post(list_url(organization), form)
    assert done.headers["location"] == list_url(organization)
    assert not Organization.objects.filter(pk=organization.pk).exists()


@pytest.mark.parametrize("page", NO_PAGES)
def test_a_page_that_is_none_is_no_fault_where_it_is_asked_first(
    console: Browser, alice: User, page: str
) -> None:
    form = {"action": "deactivate", "_selected_action": str(alice.pk)}
    asked = console.post(PEOPLE, form | {"on_page_of": page})
    assert asked.status_code == 200
    assert f'href="{PEOPLE}" class="closelink"' in asked.text


def test_the_history_of_a_row_is_its_events(console: Browser, alice: User) -> None:
    history = f"{PEOPLE}{alice.pk}/history/"
    assert f'href="{history}"' in text_of(console, page_url(alice))
    answer = console.get(history)
    assert answer.headers["location"] == f"/admin/audit/event/?q={alice.pk}"


def test_what_is_no_id_stays_text_in_the_way_to_the_events(console: Browser) -> None:
    answer = console.get(f"{PEOPLE}a&b%3Fc/history/")
    assert answer.headers["location"] == "/admin/audit/event/?q=a%26b%3Fc"


# --- Events ------------------------------------------------------------------------


def test_an_event_leads_to_whom_and_what_it_is_about(
    console: Browser, api: SignIn, acme: Tenant, alice: User
) -> None:
    organization = acme.organization
    session = api(alice).session
    event = audit.record(
        "thing.done", actor=alice, target=organization, organization_id=organization.pk
    )
    page = text_of(console, page_url(event))
    assert f'<a href="{page_url(alice)}">user {alice.email}</a>' in page
    assert f'<a href="{page_url(organization)}">organization acme</a>' in page
    ended = audit.record("session.ended", target=session)
    about = text_of(console, page_url(ended))
    assert f'<a href="{page_url(session)}">session {session.device_name}' in about
    assert "history" not in about.split('id="content"')[1]


def test_an_event_about_nothing_that_has_a_page_is_text(console: Browser) -> None:
    event = audit.record("thing.done")
    page = text_of(console, page_url(event))
    assert 'href="/admin/accounts/user/None' not in page
    proof = audit.record("thing.done", target=event)
    assert "event thing.done" not in text_of(console, page_url(proof))


def test_what_an_event_calls_things_is_no_html(console: Browser, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="<b>x</b>@example.com")
    alice.refresh_from_db()
    event = audit.record("thing.done", actor=alice, target=alice)
    assert "<b>x</b>" not in console.get(page_url(event)).text


# --- How it is said ----------------------------------------------------------------


def test_times_are_said_as_in_logs_and_calls(
    console: Browser, alice: User, api: SignIn
) -> None:
    at = NOW.replace(hour=17, minute=5)
    User.objects.filter(pk=alice.pk).update(created_at=at)
    for path in (page_url(alice), PEOPLE):
        assert f">{at:%Y-%m-%d %H:%M}<" in text_of(console, path)


def test_the_rooms_of_one_app_have_no_figures(console: Browser) -> None:
    page = text_of(console, "/admin/accounts/")
    assert "Users" in page
    assert 'class="figures"' not in page


def test_who_is_asked_about_is_named(console: Browser, acme: Tenant) -> None:
    member = acme.organization.memberships.get(user=acme.member)
    invitation = invite(acme, "dana@example.com")
    for row, action, said in (
        (member, "make_admin", f"{acme.member.email}, member in Acme"),
        (invitation, "revoke", "dana@example.com, member in Acme"),
    ):
        assert f"<h2>{said}</h2>" in text_of(console, page_url(row))
        form = {"action": action, "_selected_action": str(row.pk)}
        assert said in unescape(console.post(list_url(row), form).text)


# --- Nothing without being asked ---------------------------------------------------

ACTIONS = [
    (model, action)
    for model, room in site._registry.items()
    for action in getattr(room, "actions", ())
]


def row_of(model: type[Any], api: SignIn, tenant: Tenant) -> Any:
    rows: dict[type[Any], Callable[[], Any]] = {
        User: lambda: tenant.member,
        Session: lambda: api(tenant.member).session,
        Organization: lambda: tenant.organization,
        Membership: lambda: tenant.organization.memberships.get(user=tenant.member),
        Invitation: lambda: invite(tenant, "dana@example.com"),
        Mail: lambda: Mail.objects.create(kind="x", recipient="a@example.com"),
    }
    return rows[model]()


def state_of(model: type[Any]) -> list[Any]:
    return list(model.objects.order_by("pk").values())


@pytest.mark.parametrize(
    ("model", "action"), ACTIONS, ids=[f"{m.__name__}-{a}" for m, a in ACTIONS]
)
@pytest.mark.parametrize("form", [{}, {"confirmed": "yes"}], ids=["asked", "forged"])
def test_every_action_is_asked_about_and_needs_the_password(
    console: Browser,
    api: SignIn,
    acme: Tenant,
    model: type[Any],
    action: str,
    form: dict[str, str],
) -> None:
    """Also where the page that asks is left out."""
    row = row_of(model, api, acme)
    before = state_of(model)
    chosen = {"action": action, "_selected_action": str(row.pk)}
    answer = console.post(list_url(row), chosen | form)
    assert answer.status_code == 200
    assert 'name="confirm_password"' in answer.text
    assert state_of(model) == before


# --- What an organization is called ------------------------------------------------


def renamed(console: Browser, tenant: Tenant, **changes: str) -> Any:
    organization = tenant.organization
    total = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    names = ("name", "slug", "description")
    form = {name: getattr(organization, name) for name in names}
    return console.post(page_url(organization), form | total | changes)


def test_an_organization_is_called_something_else(console: Browser, acme: Tenant) -> None:
    answer = renamed(console, acme, name="Acme & Sons", slug="acme-sons", description="x")
    assert answer.status_code == 302
    found = Organization.objects.get(pk=acme.organization.pk)
    assert (found.name, found.slug) == ("Acme & Sons", "acme-sons")
    event = Event.objects.get(action="organization.updated")
    assert event.data["fields"] == ["description", "name", "slug"]
    assert event.data["as_superuser"] is True


def test_saving_without_a_change_records_nothing(console: Browser, acme: Tenant) -> None:
    assert renamed(console, acme).status_code == 302
    assert not Event.objects.filter(action="organization.updated").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "two\nlines"}, "The text contains control characters."),
        ({"name": "x" * 256}, "at most 255 characters"),
        ({"slug": "Not A Slug"}, "Use a-z, 0-9 and single hyphens"),
        ({"slug": "me"}, "This slug is reserved."),
        ({"slug": "globex"}, "already exists"),
        ({"description": "x" * 2001}, "at most 2000 characters"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_the_api_refuses_is_refused_here(
    console: Browser, acme: Tenant, changes: dict[str, str], said: str
) -> None:
    make_tenant("Globex")
    before = state_of(Organization)
    answer = renamed(console, acme, **changes)
    assert answer.status_code == 200
    assert said in unescape(answer.text)
    assert state_of(Organization) == before


def test_a_name_of_two_lines_is_refused_of_people_too(
    console: Browser, alice: User
) -> None:
    form = {"first_name": "Ali\rce", "last_name": "Doe\x1b[31m", "locale": ""}
    answer = console.post(page_url(alice), form | {"phone_number": ""})
    assert answer.status_code == 200
    assert unescape(answer.text).count("The text contains control characters.") == 2
    assert User.objects.get(pk=alice.pk).first_name == alice.first_name


def test_support_sees_an_organization_and_changes_nothing(
    api: SignIn, acme: Tenant, bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    support = Browser(api())
    support.sign_in(bob.email)
    before = state_of(Organization)
    assert renamed(support, acme, name="Mine").status_code == 403
    assert state_of(Organization) == before
