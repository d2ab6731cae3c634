"""The console's rooms for tenants: what they list, find and show."""

import re
from datetime import timedelta
from html import unescape
from typing import Any, NamedTuple

import httpx
import pytest
from django.utils import timezone

from accounts.models import User
from accounts.proofs import digest
from organizations.models import Invitation, Organization, State
from organizations.roles import Role
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, add_member, make_organization, make_tenant

pytestmark = pytest.mark.django_db

BASE = "/admin/organizations"
ROOMS = ("organization", "membership", "invitation")
CHOSEN = re.compile(r'name="_selected_action" value="([0-9a-f-]{36})"')
COUNT = re.compile(r'class="field-members[^"]*">(\d+)<')
NOBODY = "00000000-0000-7000-8000-000000000000"


class Scene(NamedTuple):
    """Two tenants, one of them shut, and an invitation to each."""

    acme: Tenant
    globex: Tenant
    dana: Invitation
    erin: Invitation

    def row(self, room: str) -> Any:
        """One of acme's."""
        organization = self.acme.organization
        membership = organization.memberships.get(user=self.acme.member)
        rows = {"organization": organization, "membership": membership}
        return rows.get(room, self.dana)


def invite(tenant: Tenant, address: str, **fields: Any) -> Invitation:
    values: dict[str, Any] = {
        "role": Role.MEMBER,
        "inviter": tenant.owner,
        "expires_at": timezone.now() + timedelta(days=7),
    }
    return Invitation.objects.create(
        organization=tenant.organization,
        email=address,
        email_key=address,
        token_digest=digest(f"{tenant.organization.pk} {address}"),
        **(values | fields),
    )


def make_scene() -> Scene:
    acme, globex = make_tenant("Acme"), make_tenant("Globex", is_active=False)
    ended = {"state": State.REVOKED, "ended_at": timezone.now()}
    dana = invite(acme, "dana@example.com")
    erin = invite(globex, "erin@example.com", role=Role.ADMIN, **ended)
    return Scene(acme, globex, dana, erin)


@pytest.fixture
def scene(db: Any) -> Scene:
    return make_scene()


def room_url(room: str, row: Any = None, page: str = "change") -> str:
    return f"{BASE}/{room}/" if row is None else f"{BASE}/{room}/{row.pk}/{page}/"


def rows_of(page: httpx.Response) -> set[str]:
    """The ids of the rows that a list shows."""
    assert page.status_code == 200
    return set(CHOSEN.findall(page.text))


# --- Lists and pages ---------------------------------------------------------------


def test_the_front_page_leads_to_each_room(console: Browser) -> None:
    for page in (console.get("/admin/"), console.get(f"{BASE}/")):
        assert page.status_code == 200
        for room in ROOMS:
            assert f'href="{BASE}/{room}/"' in page.text


@pytest.mark.parametrize(
    ("room", "number"), [("organization", 2), ("membership", 6), ("invitation", 2)]
)
def test_a_list_shows_every_row(
    console: Browser, scene: Scene, room: str, number: int
) -> None:
    shown = rows_of(console.get(room_url(room)))
    assert len(shown) == number
    assert str(scene.row(room).pk) in shown


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("organization", "acm"),
        ("organization", "ACME"),
        ("organization", "{s.acme.organization.pk}"),
        ("membership", "{s.acme.member.email}"),
        ("membership", "{s.acme.member.pk}"),
        ("membership", "acme {s.acme.member.email}"),
        ("invitation", "DANA@example.com"),
        ("invitation", "{s.acme.organization.slug}"),
        ("invitation", "{s.dana.pk}"),
    ],
)
def test_a_row_is_found_by_what_it_is_called(
    console: Browser, scene: Scene, room: str, words: str
) -> None:
    found = console.get(f"{room_url(room)}?q={words.format(s=scene)}")
    assert rows_of(found) == {str(scene.row(room).pk)}


@pytest.mark.parametrize("words", ["acme", "{s.acme.organization.pk}"])
def test_the_members_of_an_organization_are_found_by_it(
    console: Browser, scene: Scene, words: str
) -> None:
    found = console.get(f"{room_url('membership')}?q={words.format(s=scene)}")
    own = scene.acme.organization.memberships.values_list("pk", flat=True)
    assert rows_of(found) == {str(pk) for pk in own}


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_nowhere_is_not_found(console: Browser, scene: Scene, room: str) -> None:
    assert rows_of(console.get(f"{room_url(room)}?q={NOBODY}")) == set()


@pytest.mark.parametrize(
    ("room", "query", "number"),
    [
        ("organization", "is_active__exact=1", 1),
        ("organization", "is_active__exact=0", 1),
        ("membership", "role__exact=owner", 2),
        ("membership", "is_active__exact=0", 0),
        ("membership", "is_active__exact=1&role__exact=admin&q=globex", 1),
        ("invitation", "role__exact=admin", 1),
        ("invitation", "role__exact=owner", 0),
    ],
)
def test_a_list_is_filtered(
    console: Browser, scene: Scene, room: str, query: str, number: int
) -> None:
    assert len(rows_of(console.get(f"{room_url(room)}?{query}"))) == number


def test_a_row_shows_an_organization_whole(console: Browser, scene: Scene) -> None:
    organization = scene.acme.organization
    organization.description, organization.settings = "Anvils.", {"colour": "teal"}
    organization.save()
    page = console.get(room_url("organization", organization)).text
    for shown in ("Acme", "acme", "Anvils.", "teal", str(organization.pk)):
        assert shown in page


def test_a_row_shows_a_membership_whole(console: Browser, scene: Scene) -> None:
    page = console.get(room_url("membership", scene.row("membership"))).text
    for shown in ("Acme", scene.acme.member.email, "Member"):
        assert shown in page


@pytest.mark.parametrize(
    ("ahead", "status"), [(timedelta(days=1), "open"), (-timedelta(days=1), "expired")]
)
def test_a_row_shows_an_invitation_and_what_became_of_it(
    console: Browser, scene: Scene, ahead: timedelta, status: str
) -> None:
    invitation = scene.dana
    invitation.expires_at = timezone.now() + ahead
    invitation.save()
    page = console.get(room_url("invitation", invitation)).text
    for shown in ("Acme", "dana@example.com", "Member", scene.acme.owner.email):
        assert shown in page
    assert f'<div class="readonly">{status}</div>' in page
    listed = console.get(f"{room_url('invitation')}?q=dana@example.com").text
    assert f'<td class="field-status">{status}</td>' in listed


def test_members_are_counted_as_the_api_counts_them(
    console: Browser, api: SignIn, acme: Tenant
) -> None:
    organization = acme.organization
    add_member(organization, is_active=False)
    gone = add_member(organization)
    User.objects.filter(pk=gone.pk).update(is_active=False, deleted_at=timezone.now())
    make_organization("Nobody")
    assert api(acme.owner).get(acme.url).json()["member_count"] == 3
    listed = console.get(f"{room_url('organization')}?o=2")
    assert COUNT.findall(listed.text) == ["3", "0"]
    page = console.get(room_url("organization", organization)).text
    assert re.search(r'field-members.*?class="readonly">3<', page, re.DOTALL)


def test_who_is_deleted_is_in_no_list_of_members(console: Browser, acme: Tenant) -> None:
    gone = acme.organization.memberships.get(user=acme.member)
    User.objects.filter(pk=acme.member.pk).update(
        is_active=False, deleted_at=timezone.now()
    )
    listed = rows_of(console.get(room_url("membership")))
    assert len(listed) == 2
    assert str(gone.pk) not in listed


def test_an_invitation_outlives_who_sent_it(console: Browser, scene: Scene) -> None:
    Invitation.objects.update(inviter=None)
    assert str(scene.dana.pk) in rows_of(console.get(room_url("invitation")))
    assert console.get(room_url("invitation", scene.dana)).status_code == 200


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onload="x', "Acmé 🦊"])
def test_a_name_is_text(console: Browser, scene: Scene, room: str, name: str) -> None:
    Organization.objects.filter(pk=scene.acme.organization.pk).update(name=name)
    for path in (room_url(room), room_url(room, scene.row(room))):
        text = console.get(path).text
        assert name in unescape(text)
        assert "<script>alert" not in text
        assert '" onload="x' not in text


@pytest.mark.parametrize(("status", "number"), [("open", 1), ("expired", 1)])
def test_invitations_are_filtered_by_the_status_that_is_shown(
    console: Browser, acme: Tenant, status: str, number: int
) -> None:
    invite(acme, "dana@example.com")
    invite(acme, "late@example.com", expires_at=timezone.now() - timedelta(days=1))
    listed = console.get(f"{room_url('invitation')}?status={status}")
    assert len(rows_of(listed)) == number
