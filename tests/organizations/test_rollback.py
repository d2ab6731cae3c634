"""A change, its events and its mail: all of it or nothing (checks 216 and 244)."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations import services
from organizations.models import Invitation, Membership, Organization
from organizations.roles import Role
from outbox.models import Mail
from sessions_app.models import Session
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.organizations.cast import Tenant, add_member, invitation_token

pytestmark = pytest.mark.django_db

MODELS = (Organization, Membership, Invitation, User, Mail)
INVITED = "invited@example.com"


def refuse(table: str, verb: str, condition: str = "") -> None:
    """From here on the database refuses it; the end of the test takes that back."""
    when = f"WHEN ({condition})" if condition else ""
    head = f"CREATE TRIGGER in_the_way BEFORE {verb} ON {table} FOR EACH ROW {when}"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"{head} BEGIN SELECT RAISE(ABORT, 'in the way'); END")
            return
        cursor.execute(
            "CREATE FUNCTION stand_in_the_way() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'in the way'"
            " USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        cursor.execute(f"{head} EXECUTE FUNCTION stand_in_the_way()")


def state() -> list[Any]:
    """Sessions aside, which each caller of a test begins: those that ended."""
    rows = [list(model._default_manager.order_by("pk").values()) for model in MODELS]
    ended = Session.objects.filter(ended_at__isnull=False).count()
    return [*rows, ended, happened()]


def happened() -> list[str]:
    events = Event.objects.exclude(action="session.started").order_by("pk")
    return list(events.values_list("action", flat=True))


@dataclass(frozen=True)
class Scene:
    """An organization with two owners, and an invitation from the first."""

    acme: Tenant
    partner: User
    invitation: Invitation
    invited: User

    def call(self, api: SignIn, name: str) -> Any:
        who, method, path, body = CALLS[name]
        words = {
            "o": self.acme.url,
            "partner": f"{self.acme.url}/members/{self.partner.pk}",
            "member": f"{self.acme.url}/members/{self.acme.member.pk}",
            "invitation": f"{self.acme.url}/invitations/{self.invitation.pk}",
            "successor": str(self.acme.member.pk),
            "token": invitation_token(INVITED),
        }
        if body:
            body = {k: v.format(**words) if v is str(v) else v for k, v in body.items()}
        caller = {"owner": self.acme.owner, "invited": self.invited}.get(who)
        return api(caller).call(method, path.format(**words), body)


@pytest.fixture
def scene(acme: Tenant, settings: Settings) -> Scene:
    settings.RATELIMIT_ENABLE = False
    partner = add_member(acme.organization, Role.OWNER)
    invitation = services.invite_member(
        by=acme.seat(acme.owner), email=INVITED, role=Role.MEMBER
    )
    invited = UserFactory.create(email=INVITED, email_verified=True)
    return Scene(acme, partner, invitation, invited)


NEWCOMER = {
    "email": INVITED,
    "password": "plum otter canvas meadow",
    "first_name": "New",
    "invitation_token": "{token}",
}
CHANGE = {"name": "New", "slug": "new", "settings": {"a": 1}}
CALLS: dict[str, tuple[str, str, str, Any]] = {
    "found": ("owner", "POST", "/organizations", {"name": "New"}),
    "update": ("owner", "PATCH", "{o}", CHANGE),
    "delete": ("owner", "DELETE", "{o}", None),
    "promote": ("owner", "PATCH", "{member}", {"role": "owner"}),
    "demote": ("owner", "PATCH", "{partner}", {"role": "admin"}),
    "shut out": ("owner", "PATCH", "{partner}", {"is_active": False}),
    "both": ("owner", "PATCH", "{partner}", {"role": "admin", "is_active": False}),
    "remove": ("owner", "DELETE", "{member}", None),
    "leave": ("owner", "POST", "{o}/leave", None),
    "transfer": (
        "owner",
        "POST",
        "{o}/transfer-ownership",
        {"user_id": "{successor}"},
    ),
    "invite": (
        "owner",
        "POST",
        "{o}/invitations",
        {"email": "new@example.com", "role": "admin"},
    ),
    "renew": ("owner", "POST", "{o}/invitations", {"email": INVITED, "role": "admin"}),
    "resend": ("owner", "POST", "{invitation}/resend", None),
    "revoke": ("owner", "DELETE", "{invitation}", None),
    "accept": ("invited", "POST", "/invitations/accept", {"token": "{token}"}),
    "decline": ("invited", "POST", "/invitations/decline", {"token": "{token}"}),
    "register": ("anonymous", "POST", "/auth/register", NEWCOMER),
    "leave for good": ("owner", "DELETE", "/users/me", {"current_password": PASSWORD}),
}
# What each records, in this order and nothing else.
RECORDS = {
    "found": ["organization.created"],
    "update": ["organization.updated"],
    "delete": ["organization.deleted"],
    "promote": ["member.role_changed"],
    "demote": ["member.role_changed"],
    "shut out": ["member.deactivated"],
    "both": ["member.role_changed", "member.deactivated"],
    "remove": ["member.left"],
    "leave": ["member.left", "invitation.revoked"],
    "transfer": ["member.role_changed"] * 2 + ["ownership.transferred"],
    "invite": ["invitation.created"],
    "renew": ["invitation.renewed"],
    "resend": ["invitation.renewed"],
    "revoke": ["invitation.revoked"],
    "accept": ["invitation.accepted", "member.joined"],
    "decline": ["invitation.declined"],
    "register": [
        "user.registered",
        "email.verified",
        "invitation.accepted",
        "member.joined",
    ],
    "leave for good": ["session.ended", "user.leaving"],
}
# Each event of each call, once refused.
EVENTS = sorted({(call, action) for call, all_ in RECORDS.items() for action in all_})


def prepare(scene: Scene, call: str) -> tuple[int, str]:
    """Whoever registers has no account yet. How a conflict is told."""
    if call == "register":
        scene.invited.delete()
        return 400, "registration_refused"
    return 409, "conflict"


@pytest.mark.parametrize("call", CALLS)
def test_what_is_done_is_recorded_once(api: SignIn, scene: Scene, call: str) -> None:
    prepare(scene, call)
    before = happened()
    assert scene.call(api, call).status_code in {200, 201}
    assert happened() == before + RECORDS[call]


@pytest.mark.parametrize(("call", "action"), EVENTS)
def test_what_cannot_be_recorded_is_not_done(
    api: SignIn, scene: Scene, call: str, action: str
) -> None:
    told = prepare(scene, call)
    before = state()
    refuse("audit_event", "INSERT", f"NEW.action = '{action}'")
    refused(scene.call(api, call), *told)
    assert state() == before


@pytest.mark.parametrize("call", ["invite", "renew", "resend", "leave for good"])
def test_what_cannot_be_mailed_is_not_done(api: SignIn, scene: Scene, call: str) -> None:
    before = state()
    refuse("outbox_mail", "INSERT")
    refused(scene.call(api, call), 409, "conflict")
    assert state() == before


@pytest.mark.parametrize(
    ("call", "table", "verb"),
    [
        ("found", "organizations_membership", "INSERT"),
        ("delete", "organizations_organization", "DELETE"),
        ("transfer", "organizations_membership", "UPDATE"),
        ("accept", "organizations_invitation", "UPDATE"),
        ("register", "organizations_membership", "INSERT"),
        ("register", "organizations_invitation", "UPDATE"),
    ],
)
def test_what_cannot_be_finished_is_not_begun(
    api: SignIn, scene: Scene, call: str, table: str, verb: str
) -> None:
    """The last write fails, after others and their events."""
    told = prepare(scene, call)
    before = state()
    # Of a transfer the second change: the first makes an owner.
    refuse(table, verb, "NEW.role = 'admin'" if call == "transfer" else "")
    refused(scene.call(api, call), *told)
    assert state() == before


def test_a_superusers_change_of_a_person_waits_for_all_of_it(
    api: SignIn, scene: Scene, root: User
) -> None:
    before = state()
    refuse("audit_event", "INSERT", "NEW.action = 'user.deactivated'")
    url = f"/users/{scene.partner.pk}"
    refused(api(root).patch(url, {"is_active": False}), 409, "conflict")
    assert state() == before
