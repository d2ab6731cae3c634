"""What a superuser does with invitations in the console: by the services, on record."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from config.errors import TooManyRequests
from organizations.errors import InvitationClosed, OrganizationInactive
from organizations.models import Invitation, Organization, State
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.mailbox import mails
from tests.organizations.cast import Tenant, invitation_token
from tests.organizations.test_console import invite
from tests.organizations.test_console_actions import act, events

pytestmark = pytest.mark.django_db


def test_an_invitation_is_revoked(
    console: Browser, api: SignIn, acme: Tenant, root: User
) -> None:
    body = {"email": "dana@example.com", "role": "member"}
    api(acme.owner).post(f"{acme.url}/invitations", body)
    token = invitation_token("dana@example.com")
    row = Invitation.objects.get()
    assert "1 changed." in act(console, "revoke", row)
    preview = api().post("/invitations/preview", {"token": token})
    assert preview.json()["errors"][0]["code"] == "invitation_invalid"
    row.refresh_from_db()
    assert (row.status, row.ended_at is None) == (State.REVOKED, False)
    event = events()[-1]
    assert (event.action, event.actor_id) == ("invitation.revoked", root.pk)
    assert (event.target_id, event.data) == (row.pk, {"as_superuser": True})


@pytest.mark.parametrize("ahead", [timedelta(days=3), -timedelta(days=3)])
def test_an_invitation_is_sent_again_with_another_link(
    console: Browser, api: SignIn, acme: Tenant, root: User, ahead: timedelta
) -> None:
    row = invite(acme, "dana@example.com", expires_at=timezone.now() + ahead)
    assert "1 changed." in act(console, "send_again", row)
    after = Invitation.objects.get()
    assert after.token_digest != row.token_digest
    assert after.expires_at > timezone.now() + timedelta(days=6)
    assert (after.inviter, after.created_at) == (root, row.created_at)
    token = invitation_token("dana@example.com")
    assert api().post("/invitations/preview", {"token": token}).status_code == 200
    (event,) = events()
    assert (event.action, event.target_id) == ("invitation.renewed", row.pk)
    assert event.data == {"role": "member", "as_superuser": True}


@pytest.mark.parametrize("action", ["revoke", "send_again"])
@pytest.mark.parametrize("state", [State.ACCEPTED, State.DECLINED])
def test_an_answered_invitation_stays_so_and_the_rest_is_done(
    console: Browser, acme: Tenant, action: str, state: State
) -> None:
    closed = invite(acme, "erin@example.com", state=state, ended_at=timezone.now())
    told = act(console, action, closed, invite(acme, "dana@example.com"))
    assert InvitationClosed.message in told
    assert "1 changed." in told
    assert Invitation.objects.get(pk=closed.pk).state == state
    assert mails("organizations.invitation", to="erin@example.com") == []
    assert len(events()) == 1


def test_a_revoked_invitation_is_revoked_once(console: Browser, acme: Tenant) -> None:
    row = invite(acme, "dana@example.com")
    act(console, "revoke", row)
    before = Invitation.objects.values().get()
    act(console, "revoke", row)
    assert Invitation.objects.values().get() == before
    assert len(events()) == 1
    assert InvitationClosed.message in act(console, "send_again", row)
    assert mails("organizations.invitation") == []


def test_mails_are_counted_here_too(
    console: Browser, acme: Tenant, settings: Settings
) -> None:
    settings.INVITATIONS_PER_TENANT = ((2, timedelta(hours=1)),)
    rows = [invite(acme, f"person{number}@example.com") for number in range(3)]
    told = act(console, "send_again", *rows)
    assert TooManyRequests.message in told
    assert "2 changed." in told
    assert len(mails("organizations.invitation")) == len(events()) == 2
    assert Invitation.objects.get(pk=rows[2].pk).token_digest == rows[2].token_digest


def test_no_mail_leads_to_a_shut_organization(console: Browser, acme: Tenant) -> None:
    row = invite(acme, "dana@example.com")
    Organization.objects.update(is_active=False)
    told = act(console, "send_again", row)
    assert OrganizationInactive.message in told
    assert " changed." not in told
    assert mails("organizations.invitation") == []
