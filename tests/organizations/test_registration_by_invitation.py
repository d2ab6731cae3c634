"""Registering with the token of an invitation; what is held of invited people, and how it
is forgotten.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from httpx import Response
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.services import purge_accounts
from audit.models import Event
from organizations.models import STATUSES, Invitation, Membership
from organizations.roles import Role
from organizations.services import inviting
from outbox.models import Mail
from tests.accounts.test_export import dump
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import mails
from tests.organizations.cast import Tenant, add_member, role_of
from tests.organizations.test_answering_invitations import accept, bare
from tests.organizations.test_invitation_limits import DEATHS
from tests.organizations.test_inviting import (
    DANA,
    happened,
    held,
    invited,
    make_invitation,
    opens,
    row,
)

pytestmark = pytest.mark.django_db

MODES = ("off", "optional", "required")


@pytest.fixture(autouse=True)
def unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


def register(client: Api, token: str | None, **changes: Any) -> Response:
    body = {"email": DANA, "password": PASSWORD, "first_name": "Dana"}
    return client.post("/auth/register", body | {"invitation_token": token} | changes)


# --- Registering -------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_invited_are_members_with_a_verified_address_at_once(
    api: SignIn, acme: Tenant, settings: Settings, mode: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    token = invited(api(acme.owner), acme, "Dana@EXAMPLE.com", "admin")
    answer = register(api(), token, is_superuser=True, email_verified=False)
    assert answer.status_code == 201
    dana = User.objects.get(pk=answer.json()["id"])
    assert (answer.json()["email"], answer.json()["email_verified"]) == (DANA, True)
    assert (dana.email_verified, dana.is_superuser) == (True, False)
    assert role_of(acme.organization, dana) == Role.ADMIN
    assert row("Dana@EXAMPLE.com").status == "accepted"
    assert [mail.kind for mail in mails()] == ["organizations.invitation"]
    mine = Event.objects.filter(actor_id=dana.pk).order_by("pk")
    assert [(event.action, event.organization_id) for event in mine] == [
        ("user.registered", None),
        ("email.verified", None),
        ("invitation.accepted", acme.organization.pk),
        ("member.joined", acme.organization.pk),
    ]
    login = {"email": DANA, "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200
    assert accept(api(dana), token=token).json()["role"] == "admin"


@pytest.mark.parametrize("token", [None, ""])
@pytest.mark.parametrize("mode", MODES)
def test_without_a_token_nothing_is_proved(
    api: SignIn, acme: Tenant, settings: Settings, mode: str, token: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    invited(api(acme.owner), acme)
    status = 202 if mode == "required" else 201
    assert register(api(), token).status_code == status
    dana = User.objects.get(email=DANA)
    assert (dana.email_verified, role_of(acme.organization, dana)) == (False, None)
    assert row().status == "open"
    assert len(mails("verify_email")) == (mode != "off")


@pytest.mark.parametrize("mode", MODES)
def test_a_token_for_another_address_makes_no_account(
    api: SignIn, acme: Tenant, settings: Settings, mode: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    token = invited(api(acme.owner), acme)
    before = held(), Event.objects.count()
    answer = register(api(), token, email="eve@example.com")
    refused(answer, 403, "invitation_for_another")
    assert (held(), Event.objects.count()) == before
    assert register(api(), token).status_code == 201


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_token_makes_no_account(
    api: SignIn, acme: Tenant, settings: Settings, death: str, mode: str
) -> None:
    """Check 139; that its inviter lost the right is asked here as elsewhere."""
    settings.EMAIL_VERIFICATION = mode
    token = invited(api(acme.admin), acme)
    DEATHS[death](api(acme.owner), acme)
    before = held()
    told, unknown = (register(api(), text) for text in (token, "x" * 43))
    refused(told, 404, "invitation_invalid")
    assert bare(told) == bare(unknown)
    assert held() == before


def test_a_token_registers_once(api: SignIn, acme: Tenant) -> None:
    token = invited(api(acme.owner), acme)
    assert register(api(), token).status_code == 201
    before = held()
    for email in (DANA, "other@example.com"):
        refused(register(api(), token, email=email), 404, "invitation_invalid")
    assert held() == before


@pytest.mark.parametrize("mode", MODES)
def test_a_known_address_is_refused_as_ever(
    api: SignIn, acme: Tenant, settings: Settings, mode: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    UserFactory.create(email=DANA)
    token, before = invited(api(acme.owner), acme), held()
    refused(register(api(), token), 400, "registration_refused")
    assert held()[:3] == [*before[:2], list(Invitation.objects.values())]
    assert opens(api(), token)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("of", ["nobody", "another"])
def test_a_token_that_proves_nothing_tells_nobody_which_addresses_are_known(
    api: SignIn, acme: Tenant, settings: Settings, mode: str, of: str
) -> None:
    settings.EMAIL_VERIFICATION = mode
    token = invited(api(acme.owner), acme) if of == "another" else "x" * 43
    known, unknown = (
        bare(register(api(), token, email=email))
        for email in (acme.owner.email, "unknown@example.com")
    )
    assert known == unknown


def test_a_mail_to_a_look_alike_proves_nothing_about_the_address_registered(
    api: SignIn, acme: Tenant
) -> None:
    """CVE-2019-19844: one account by its key, another mailbox."""
    token = invited(api(acme.owner), acme, "mar\N{KELVIN SIGN}@example.com")
    register(api(), token, email="mark@example.com")
    assert not User.objects.filter(email="mark@example.com", email_verified=True).exists()


def test_a_full_organization_makes_no_account(
    api: SignIn, acme: Tenant, settings: Settings
) -> None:
    settings.MEMBERS_PER_ORGANIZATION = 3
    token = invited(api(acme.owner), acme)
    before = held(), Event.objects.count()
    refused(register(api(), token), 409, "too_many_members")
    assert (held(), Event.objects.count()) == before
    settings.MEMBERS_PER_ORGANIZATION = 4
    assert register(api(), token).status_code == 201


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "dana@example.com"}, "password"),
        ({"first_name": ""}, "first_name"),
        ({"email": "dana"}, "email"),
        ({"invitation_token": "x" * 257}, "invitation_token"),
        ({"invitation_token": "a\x00b"}, "invitation_token"),
        ({"invitation_token": [1]}, "invitation_token"),
    ],
)
def test_a_bad_form_spends_nothing(
    api: SignIn, acme: Tenant, fault: dict[str, Any], field: str
) -> None:
    token = invited(api(acme.owner), acme)
    before = held()
    assert fields(register(api(), token, **fault))[0] == field
    assert held() == before
    assert register(api(), token).status_code == 201


# --- Exported, forgotten, purged ---------------------------------------------------


def test_the_export_has_memberships_and_invitations(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    dana = UserFactory.create(email=DANA, email_verified=True)
    add_member(acme.organization, Role.ADMIN, user=dana)
    invited(api(globex.owner), globex, "DANA@example.com", "owner")
    invited(api(globex.owner), globex, "other@example.com")
    export = api(dana).get("/users/me/export").json()
    [membership], [invitation] = export["memberships"], export["invitations"]
    name = {"organization_name": "Acme", "organization_slug": "acme", "role": "admin"}
    assert membership.items() >= name.items()
    assert membership["organization_id"] == str(acme.organization.pk)
    here = {"organization_name": "Globex", "role": "owner", "state": "open"}
    assert invitation.items() >= here.items()
    User.objects.filter(pk=dana.pk).update(email_verified=False)
    assert api(dana).get("/users/me/export").json()["invitations"] == []


def gone(user: User) -> None:
    long_ago = timezone.now() - timedelta(days=15)
    User.objects.filter(pk=user.pk).update(leaving_since=long_ago)
    assert purge_accounts() == 1
    Mail.objects.all().delete()


def test_whoever_is_forgotten_was_a_member_and_invited_nowhere(
    api: SignIn, acme: Tenant, globex: Tenant
) -> None:
    register(api(), invited(api(acme.owner), acme, "Dana@EXAMPLE.com"))
    invited(api(globex.owner), globex)
    invited(api(globex.owner), globex, "other@example.com")
    dana = User.objects.get(email=DANA)
    gone(dana)
    assert not Membership.objects.filter(user=dana).exists()
    assert [invitation.email for invitation in Invitation.objects.all()] == [
        "other@example.com"
    ]
    assert DANA not in dump()
    assert len(happened("created")) == 3
    assert happened("created")[2].target_label == "other@example.com"


@pytest.mark.parametrize("way", ["organization deleted", "purged", "address changed"])
def test_an_address_is_forgotten_also_where_the_invitation_is_gone_already(
    api: SignIn, acme: Tenant, way: str
) -> None:
    dana = UserFactory.create(email=DANA, email_verified=True)
    token = invited(api(acme.owner), acme)
    if way == "purged":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(days=91))
        call_command("purge_invitations")
    elif way == "organization deleted":
        assert api(acme.owner).delete(acme.url).status_code == 200
    else:
        accept(api(dana), token=token)
        dana.email = "new@example.com"
        dana.save()
    gone(dana)
    assert DANA not in dump()


def test_old_invitations_are_purged_in_batches_and_their_events_stay(
    api: SignIn, acme: Tenant, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inviting, "PURGE_BATCH", 2)
    old = [make_invitation(acme, f"{n}@example.com", STATUSES[n]) for n in range(5)]
    limit = timezone.now() - timedelta(days=90)
    Invitation.objects.update(expires_at=limit)
    invited(api(acme.owner), acme)
    young = make_invitation(acme, "young@example.com")
    Invitation.objects.filter(pk=young.pk).update(expires_at=limit + timedelta(hours=1))
    for _ in range(2):
        call_command("purge_invitations")
    assert capsys.readouterr().out == "Deleted 5 invitations.\nDeleted 0 invitations.\n"
    assert Invitation.objects.exclude(pk__in=[i.pk for i in old]).count() == 2
    assert (Invitation.objects.count(), len(happened("created"))) == (2, 1)
