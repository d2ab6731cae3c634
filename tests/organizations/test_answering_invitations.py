"""Accepting and declining: once, by the right person, while the inviter still may."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations.models import STATUSES, Invitation, Membership
from organizations.roles import Role
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.organizations.cast import Tenant, add_member, role_of
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

ANSWERS = ("accept", "decline")


@pytest.fixture(autouse=True)
def unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


@pytest.fixture
def dana(db: Any) -> User:
    return UserFactory.create(email=DANA, email_verified=True)


def accept(client: Api, **body: Any) -> Response:
    return client.post("/invitations/accept", body)


def decline(client: Api, **body: Any) -> Response:
    return client.post("/invitations/decline", body)


def bare(answer: Response) -> tuple[Any, ...]:
    """All that could tell two answers apart, but for the request id."""
    text = answer.text.replace(answer.headers["X-Request-ID"], "")
    return answer.status_code, text, answer.headers["Content-Type"]


# --- Looking at it -----------------------------------------------------------------


def test_anybody_with_the_link_sees_what_it_is_about(api: SignIn, acme: Tenant) -> None:
    token = invited(api(acme.owner), acme, role="admin")
    before = held()
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = api().post("/invitations/preview", {"token": token}, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json() == {
            "organization": acme.organization.reference,
            "email": DANA,
            "role": "admin",
            "expires_at": answer.json()["expires_at"],
        }
    assert held() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["accept", "decline", "preview"])
def test_only_a_post_answers(
    api: SignIn, acme: Tenant, dana: User, method: str, path: str
) -> None:
    """Check 144: programs that read mail open every link in it."""
    token, client = invited(api(acme.owner), acme), api(dana)
    before = held()
    answer = client.call(method, f"/invitations/{path}?token={token}&id={row().pk}")
    assert answer.status_code in {200, 405} if method == "OPTIONS" else 405
    assert (held(), role_of(acme.organization, dana)) == (before, None)
    assert opens(api(), token)


def test_everybody_sees_their_own_open_ones(
    api: SignIn, acme: Tenant, globex: Tenant, dana: User
) -> None:
    for tenant, email in ((acme, DANA), (globex, DANA.upper()), (acme, "b@example.com")):
        invited(api(tenant.owner), tenant, email, "admin")
    client = api(dana)
    answer = client.get("/invitations/me")
    assert [one.pop("organization") for one in answer.json()] == [
        acme.organization.reference,
        globex.organization.reference,
    ]
    listed = api(acme.owner).get(f"{acme.url}/invitations").json()["data"]
    assert client.get("/invitations/me").json()[0].items() >= listed[0].items()
    globex.organization.is_active = False
    globex.organization.save()
    assert len(client.get("/invitations/me").json()) == 1
    User.objects.filter(pk=dana.pk).update(email_verified=False)
    assert client.get("/invitations/me").json() == []


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_over_is_not_among_ones_own(
    api: SignIn, acme: Tenant, dana: User, status: str
) -> None:
    make_invitation(acme, DANA, status)
    assert len(api(dana).get("/invitations/me").json()) == (status == "open")


# --- Accepting ---------------------------------------------------------------------


@pytest.mark.parametrize("by", ["token", "id"])
@pytest.mark.parametrize("role", Role.values)
def test_whoever_accepts_is_a_member_in_that_role(
    api: SignIn, acme: Tenant, dana: User, role: str, by: str
) -> None:
    token = invited(api(acme.owner), acme, "Dana@EXAMPLE.com", role)
    invitation = row("Dana@EXAMPLE.com")
    body = {"token": token} if by == "token" else {"id": str(invitation.pk)}
    answer = accept(api(dana), **body)
    assert answer.status_code == 200
    membership = Membership.objects.get(organization=acme.organization, user=dana)
    assert answer.json() == {
        "user_id": str(dana.pk),
        "email": DANA,
        "first_name": dana.first_name,
        "last_name": None,
        "role": role,
        "is_active": True,
        "joined_at": answer.json()["joined_at"],
        "organization": acme.organization.reference,
    }
    assert (membership.role, membership.is_active) == (role, True)
    invitation.refresh_from_db()
    assert (invitation.status, invitation.ended_at is None) == ("accepted", False)
    [accepted] = happened("accepted")
    [joined] = Event.objects.filter(action="member.joined")
    assert {accepted.actor_id, joined.actor_id, joined.target_id} == {dana.pk}
    assert accepted.target_id == invitation.pk
    assert {e.organization_id for e in (accepted, joined)} == {acme.organization.pk}
    assert joined.data == {"role": role}


def test_accepting_again_is_no_fault(api: SignIn, acme: Tenant, dana: User) -> None:
    token, client = invited(api(acme.owner), acme), api(dana)
    first, before = accept(client, token=token), held()
    again = [accept(client, token=token), accept(client, id=str(row().pk))]
    assert [bare(answer) for answer in again] == [bare(first)] * 2
    assert held() == before
    assert len(happened("accepted")) == 1
    assert Event.objects.filter(action="member.joined").count() == 1


@pytest.mark.parametrize("way", ["left", "removed", "shut out"])
def test_an_accepted_invitation_brings_nobody_back(
    api: SignIn, acme: Tenant, dana: User, way: str
) -> None:
    """Check 135."""
    token, client, boss = invited(api(acme.owner), acme), api(dana), api(acme.owner)
    accept(client, token=token)
    ended = {
        "left": lambda: client.post(f"{acme.url}/leave"),
        "removed": lambda: boss.delete(acme.member_url(dana)),
        "shut out": lambda: boss.patch(acme.member_url(dana), {"is_active": False}),
    }[way]()
    assert ended.status_code == 200
    before = held()
    for body in ({"token": token}, {"id": str(row().pk)}):
        refused(accept(client, **body), 404, "invitation_invalid")
    assert held() == before
    refused(client.get(acme.url), 403, "not_a_member")


def test_accepting_again_gives_no_lost_role_back(
    api: SignIn, acme: Tenant, dana: User
) -> None:
    token, client = invited(api(acme.owner), acme, role="admin"), api(dana)
    accept(client, token=token)
    api(acme.owner).patch(acme.member_url(dana), {"role": "member"})
    assert accept(client, token=token).json()["role"] == "member"
    assert role_of(acme.organization, dana) == Role.MEMBER


@pytest.mark.parametrize("is_active", [True, False])
def test_whoever_is_a_member_already_does_not_join_twice(
    api: SignIn, acme: Tenant, is_active: bool
) -> None:
    """Invited under an address that a member took since."""
    member = add_member(acme.organization, is_active=is_active)
    token = invited(api(acme.owner), acme, role="admin")
    member.email = DANA
    member.save()
    refused(accept(api(member), token=token), 409, "already_member")
    assert role_of(acme.organization, member) == Role.MEMBER
    assert row().status == "open"
    assert happened("accepted") == []


# --- The right person --------------------------------------------------------------


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_is_for_the_invited_alone_and_stays_open_for_them(
    api: SignIn, acme: Tenant, dana: User, bob: User, answer: str
) -> None:
    """Check 137."""
    User.objects.filter(pk=bob.pk).update(email_verified=True)
    token, thief = invited(api(acme.owner), acme), api(bob)
    before = held()
    told = thief.post(f"/invitations/{answer}", {"token": token})
    refused(told, 403, "invitation_for_another")
    by_id = thief.post(f"/invitations/{answer}", {"id": str(row().pk)})
    unknown = thief.post(f"/invitations/{answer}", {"id": str(uuid4())})
    refused(by_id, 404, "invitation_invalid")
    assert bare(by_id) == bare(unknown)
    assert held() == before
    [denied] = Event.objects.filter(action="access.denied")
    assert (denied.actor_id, denied.organization_id) == (bob.pk, None)
    assert accept(api(dana), token=token).status_code == 200


@pytest.mark.parametrize("by", ["token", "id"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_address_not_shown_to_be_theirs_answers_nothing(
    api: SignIn, acme: Tenant, dana: User, answer: str, by: str
) -> None:
    User.objects.filter(pk=dana.pk).update(email_verified=False)
    token, client = invited(api(acme.owner), acme), api(dana)
    body = {"token": token} if by == "token" else {"id": str(row().pk)}
    refused(client.post(f"/invitations/{answer}", body), 403, "email_not_verified")
    assert row().status == "open"
    User.objects.filter(pk=dana.pk).update(email_verified=True)
    assert client.post(f"/invitations/{answer}", body).status_code == 200


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "token"),
        ({"token": ""}, "token"),
        ({"token": None}, "token"),
        ({"token": "x" * 257}, "token"),
        ({"token": "a\x00b"}, "token"),
        ({"token": ["x"]}, "token"),
        ({"id": "17"}, "id"),
        ({"id": None}, "id"),
    ],
)
def test_a_bad_answer_is_told(
    api: SignIn, dana: User, answer: str, body: dict[str, Any], field: str
) -> None:
    assert fields(api(dana).post(f"/invitations/{answer}", body)) == [field]


# --- Declining ---------------------------------------------------------------------


@pytest.mark.parametrize("by", ["token", "id"])
def test_declining_ends_it_and_may_be_repeated(
    api: SignIn, acme: Tenant, dana: User, by: str
) -> None:
    token, client = invited(api(acme.owner), acme), api(dana)
    body = {"token": token} if by == "token" else {"id": str(row().pk)}
    assert [decline(client, **body).status_code for _ in range(2)] == [200, 200]
    assert (row().status, row().ended_at is None) == ("declined", False)
    [event] = happened("declined")
    assert (event.actor_id, event.target_id) == (dana.pk, row().pk)
    assert event.organization_id == acme.organization.pk
    refused(accept(client, **body), 404, "invitation_invalid")
    assert role_of(acme.organization, dana) is None


def test_what_was_accepted_is_not_declined(api: SignIn, acme: Tenant, dana: User) -> None:
    token, client = invited(api(acme.owner), acme), api(dana)
    accept(client, token=token)
    refused(decline(client, token=token), 404, "invitation_invalid")
    assert role_of(acme.organization, dana) == Role.MEMBER
    assert row().status == "accepted"


def test_whoever_declined_may_be_invited_anew(
    api: SignIn, acme: Tenant, dana: User
) -> None:
    decline(api(dana), token=invited(api(acme.owner), acme))
    assert accept(api(dana), token=invited(api(acme.owner), acme)).status_code == 200
    assert sorted(i.status for i in Invitation.objects.all()) == ["accepted", "declined"]
