"""docs/ACCESS.md as data, what the URLconf routes, and a scene to try every call in."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Purpose, User
from accounts.proofs import issue
from organizations import services
from organizations.models import Invitation, Membership, Organization
from organizations.roles import Role
from sessions_app.services import start_session
from tests.client import Api
from tests.factories import PASSWORD, UserFactory, make_superuser
from tests.organizations.cast import Tenant, add_member, invitation_token, make_tenant
from tests.servers import ROOT

DOCUMENT = ROOT / "docs" / "ACCESS.md"
NEW_PASSWORD = "plum otter canvas meadow"
PEOPLE = ("anonymous", "stranger", "member", "admin", "owner", "superuser")
ROLES = ("member", "admin", "owner")
ANOTHERS = "another's"

Row = dict[str, int]


def table() -> dict[str, Row]:
    """{"GET /users": {"anonymous": 401, …}}, in the order of the document; what is no
    number is left out.
    """
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    header, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    assert header == ["call", *PEOPLE, ANOTHERS]
    cells = {
        row[0]: {
            n: int(c) for n, c in zip(header[1:], row[1:], strict=True) if c.isdigit()
        }
        for row in rows
    }
    assert len(cells) == len(rows), "A call has two rows."
    return cells


def routes() -> dict[str, Any]:
    """Every path of the API as the table writes it, and the view that answers it."""
    (versioned,) = [
        entry
        for entry in get_resolver().url_patterns
        if str(entry.pattern) == settings.API_PREFIX.lstrip("/") + "/"
    ]
    found = {}
    for leaf in _leaves(cast(URLResolver, versioned)):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(leaf.pattern))
        found[f"/{path}"] = getattr(leaf.callback, "cls", leaf.callback)
    return found


def _leaves(resolver: URLResolver) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            # Ours are included without a path of their own.
            assert str(entry.pattern) == ""
            yield from _leaves(entry)
        else:
            yield entry


TABLE = table()
PATHS = tuple(dict.fromkeys(call.partition(" ")[2] for call in TABLE))
OF_ORGANIZATIONS = tuple(call for call in TABLE if "{organization}" in call)


# --- The scene ---------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A tenant, a second owner, a member whom calls concern, and an open invitation."""

    tenant: Tenant
    partner: User
    colleague: User
    invitation: Invitation

    @property
    def pk(self) -> str:
        return str(self.tenant.organization.pk)

    @property
    def slug(self) -> str:
        return self.tenant.organization.slug

    def person(self, role: str) -> User:
        return cast(User, getattr(self.tenant, role))


@dataclass(frozen=True)
class Scene:
    here: Place
    there: Place
    stranger: User
    superuser: User

    def person(self, column: str) -> User | None:
        if column == "anonymous":
            return None
        if column in ROLES:
            return self.here.person(column)
        return cast(User, getattr(self, column))


def make_scene() -> Scene:
    # The last superuser could not leave.
    make_superuser(email="second@example.com")
    return Scene(
        here=make_place("Acme"),
        there=make_place("Globex"),
        stranger=UserFactory.create(email_verified=True),
        superuser=make_superuser(email="root@example.com", email_verified=True),
    )


def make_place(name: str) -> Place:
    tenant = make_tenant(name)
    return Place(
        tenant=tenant,
        partner=add_member(tenant.organization, Role.OWNER),
        colleague=add_member(tenant.organization),
        invitation=invite(tenant, f"invited@{name.lower()}.example.com"),
    )


def invite(tenant: Tenant, address: str) -> Invitation:
    by = tenant.seat(tenant.owner)
    return services.invite_member(by=by, email=address, role=Role.MEMBER)


def rows(place: Place | None = None) -> list[Any]:
    """All that is stored of organizations, or of this one."""
    organizations = Organization.objects.order_by("pk")
    memberships = Membership.objects.order_by("pk")
    invitations = Invitation.objects.order_by("pk")
    if place is not None:
        organizations = organizations.filter(pk=place.pk)
        memberships = memberships.filter(organization=place.tenant.organization)
        invitations = invitations.filter(organization=place.tenant.organization)
    return [list(every.values()) for every in (organizations, memberships, invitations)]


# --- Calls -------------------------------------------------------------------------


def fill(
    path: str, place: Place, *, at: str = "", nested: str = "", session: object = ""
) -> str:
    """With ids of this place. `at` is another address of it, or of another; `nested` the
    id of a member or invitation that is none of its own.
    """
    return path.format(
        organization=at or place.pk,
        organization_id=at or place.pk,
        user_id=nested or place.colleague.pk,
        invitation_id=nested or place.invitation.pk,
        session_id=session or uuid4(),
    )


def body_of(call: str, place: Place, caller: User) -> Any:
    return BODIES[call](place, caller) if call in BODIES else None


def ready(client: Api, call: str, place: Place, caller: User | None) -> dict[str, Any]:
    """What `Api.call` takes for the call of the table about this place: with all that it
    needs but a right.
    """
    method, _, path = call.partition(" ")
    filled = fill(path, place, session=client.session.pk if caller else "")
    content = "data" if call in FORMS else "json"
    body = body_of(call, place, caller or place.colleague)
    return {"method": method, "path": filled, content: body}


def token(place: Place, purpose: Purpose, **data: Any) -> str:
    """Out of a mail to the colleague."""
    return issue(place.colleague, purpose, timedelta(hours=1), **data).token


def link(purpose: Purpose, **data: Any) -> Callable[[Place, User], Any]:
    """The body of a call that such a mail leads to."""
    return lambda place, _: {"token": token(place, purpose, **data)}


def reset(place: Place, _: User) -> dict[str, Any]:
    return {"token": token(place, Purpose.RESET), "new_password": NEW_PASSWORD}


def invited(_: Place, caller: User) -> dict[str, Any]:
    """The caller, to an organization that is nobody's here."""
    invite(make_tenant("Initech"), caller.email)
    return {"token": invitation_token(caller.email)}


def address_of_colleague(place: Place, _: User) -> dict[str, Any]:
    return {"email": place.colleague.email}


def credentials(name: str) -> Callable[[Place, User], Any]:
    return lambda place, _: {name: place.colleague.email, "password": PASSWORD}


def always(**body: Any) -> Callable[[Place, User], Any]:
    return lambda *_: body


ONE = "/organizations/{organization}"
ONE_BY_ID = "/organizations/{organization_id}"
FORMS = {"POST /auth/login/oauth"}
# What is sent with a call, so that nothing but a right is in its way.
BODIES: dict[str, Callable[[Place, User], Any]] = {
    "POST /auth/register": always(
        email="new@example.com", password=NEW_PASSWORD, first_name="New"
    ),
    "POST /auth/login": credentials("email"),
    "POST /auth/login/oauth": credentials("username"),
    "POST /auth/refresh": lambda place, _: {
        "refresh_token": start_session(user=place.colleague).refresh_token
    },
    "POST /auth/password-reset/request": address_of_colleague,
    "POST /auth/password-reset/confirm": reset,
    "POST /auth/email/verify": link(Purpose.VERIFY),
    "POST /auth/email/resend": address_of_colleague,
    "POST /auth/email/confirm": link(Purpose.ADDRESS, email="new@example.com"),
    "POST /auth/email/restore": link(Purpose.RETURN_ADDRESS, email="old@example.com"),
    "POST /auth/disown": link(Purpose.DISOWN),
    "POST /auth/stay": link(Purpose.STAY),
    "PATCH /users/me": always(first_name="New"),
    "DELETE /users/me": always(current_password=PASSWORD),
    "POST /users/me/email": always(
        new_email="new@example.com", current_password=PASSWORD
    ),
    "PATCH /users/me/password": always(
        current_password=PASSWORD, new_password=NEW_PASSWORD
    ),
    "PATCH /users/{user_id}": always(first_name="New"),
    "PATCH /sessions/{session_id}": always(device_name="New"),
    "POST /organizations": always(name="New"),
    f"PUT {ONE}": always(name="New"),
    f"PATCH {ONE}": always(name="New"),
    f"PATCH {ONE}/members/{{user_id}}": always(role="admin"),
    f"POST {ONE}/transfer-ownership": lambda place, _: {
        "user_id": str(place.colleague.pk)
    },
    f"POST {ONE}/invitations": always(email="new@example.com", role="member"),
    "POST /invitations/preview": invited,
    "POST /invitations/accept": invited,
    "POST /invitations/decline": invited,
    "POST /admin/users": always(
        email="new@example.com", password=NEW_PASSWORD, first_name="New"
    ),
    "PUT /admin/users/{user_id}": always(first_name="New"),
    "POST /admin/users/bulk-action": lambda place, _: {
        "action": "deactivate",
        "user_ids": [str(place.colleague.pk)],
    },
    "POST /admin/organizations": always(name="New", slug="new"),
    f"PUT /admin{ONE_BY_ID}": always(name="New"),
    f"POST /admin{ONE_BY_ID}/members": lambda *_: {
        "user_id": str(UserFactory.create().pk),
        "role": "member",
    },
}
