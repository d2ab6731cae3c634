"""Inviting, renewing by inviting again, and the list of invitations."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from httpx import Response

from accounts.models import User
from audit.models import Event
from organizations.models import STATUSES, Invitation, Membership
from organizations.roles import Role
from outbox.models import Mail
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.mailbox import mails
from tests.mailbox import token as token_of
from tests.organizations.cast import Tenant, add_member

pytestmark = pytest.mark.django_db

DANA = "dana@example.com"
KIND = "organizations.invitation"


def invite(
    client: Api, tenant: Tenant, email: str = DANA, role: str = "member", **more: Any
) -> Response:
    body = {"email": email, "role": role, **more}
    return client.post(f"{tenant.url}/invitations", body)


def invited(client: Api, tenant: Tenant, email: str = DANA, role: str = "member") -> str:
    """The token that was mailed, to whatever spelling."""
    answer = invite(client, tenant, email, role)
    assert answer.status_code == 201, answer.text
    return token_of(KIND)


def row(email: str = DANA) -> Invitation:
    return Invitation.objects.get(email=email)


def url_of(tenant: Tenant, invitation: Invitation) -> str:
    return f"{tenant.url}/invitations/{invitation.pk}"


def expire(**which: Any) -> None:
    """As if the time of these were over."""
    past = timezone.now() - timedelta(seconds=1)
    Invitation.objects.filter(**which).update(expires_at=past)


def happened(action: str) -> list[Event]:
    return list(Event.objects.filter(action=f"invitation.{action}").order_by("pk"))


def held() -> list[Any]:
    """All that an invitation may change, but for the events."""
    rows = (User, Membership, Invitation, Mail)
    return [list(model._base_manager.order_by("pk").values()) for model in rows]


def opens(client: Api, token: str) -> bool:
    """Whether the link is still good."""
    answer = client.post("/invitations/preview", {"token": token})
    assert answer.status_code in {200, 404}
    return answer.status_code == 200


# --- Inviting ----------------------------------------------------------------------


def test_an_invitation_is_written_mailed_and_recorded(api: SignIn, acme: Tenant) -> None:
    body = invite(api(acme.admin), acme, "Dana@Example.com", "admin").json()
    invitation = Invitation.objects.get(pk=body["id"])
    assert body == {
        "id": str(invitation.pk),
        "email": "Dana@Example.com",
        "role": "admin",
        "status": "open",
        "invited_by": {"user_id": str(acme.admin.pk), "email": acme.admin.email},
        "created_at": body["created_at"],
        "expires_at": body["expires_at"],
    }
    assert [mail.recipient for mail in mails(KIND)] == ["Dana@Example.com"]
    [event] = happened("created")
    assert (event.actor_id, event.target_id) == (acme.admin.pk, invitation.pk)
    assert event.organization_id == acme.organization.pk
    assert event.data == {"role": "admin"}


MAY = {"owner": ("owner", "admin", "member"), "admin": ("admin", "member"), "member": ()}


@pytest.mark.parametrize("who", MAY)
@pytest.mark.parametrize("role", Role.values)
def test_nobody_invites_above_themselves_and_members_nobody(
    api: SignIn, acme: Tenant, who: str, role: str
) -> None:
    """Check 141."""
    before = held()
    answer = invite(api(getattr(acme, who)), acme, role=role)
    if role in MAY[who]:
        assert (answer.status_code, row().role) == (201, role)
        return
    refused(answer, 403, "role_too_low" if who == "member" else "role_too_high")
    assert (held(), happened("created")) == (before, [])


def test_a_superuser_invites_anywhere_and_the_event_says_so(
    api: SignIn, acme: Tenant, root: User
) -> None:
    assert invite(api(root), acme, role="owner").status_code == 201
    assert happened("created")[0].data == {"role": "owner", "as_superuser": True}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "superuser"}, "role"),
        ({"role": "Owner"}, "role"),
        ({"role": ""}, "role"),
        ({"role": None}, "role"),
        ({"email": "dana"}, "email"),
        ({"email": None}, "email"),
        ({"email": "a\x00b@example.com"}, "email"),
        ({"email": "dana@example.com\r\nBcc: eve@evil.test"}, "email"),
        ({"email": "dana@example.com, eve@evil.test"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"email": {"a": 1}}, "email"),
    ],
)
def test_a_bad_invitation_is_told_and_not_sent(
    api: SignIn, acme: Tenant, change: dict[str, Any], field: str
) -> None:
    answer = invite(api(acme.owner), acme, **change)
    assert fields(answer) == [field]
    assert (Invitation.objects.count(), mails(KIND)) == (0, [])


@pytest.mark.parametrize("is_active", [True, False])
@pytest.mark.parametrize("spelling", [DANA, "DANA@EXAMPLE.COM"])
def test_a_member_is_not_invited_again(
    api: SignIn, acme: Tenant, spelling: str, is_active: bool
) -> None:
    add_member(acme.organization, email=DANA, is_active=is_active)
    before = held()
    refused(invite(api(acme.admin), acme, spelling), 409, "already_member")
    assert held() == before
    assert happened("created") == []


def test_whether_an_address_has_an_account_is_not_told(api: SignIn, acme: Tenant) -> None:
    """Check 143: neither by the answer nor by the work behind it."""
    UserFactory.create(email="known@example.com", locale="it")
    UserFactory.create(email="inactive@example.com", is_active=False)
    client = api(acme.admin)
    told, costs = [], []
    for name in ("first", "known", "unknown", "inactive"):
        with CaptureQueriesContext(connection) as queries:
            answer = invite(client, acme, f"{name}@example.com")
        own = dict.fromkeys(("id", "email", "created_at", "expires_at"))
        told.append((answer.status_code, answer.json() | own, set(answer.headers)))
        costs.append(len(queries))
    assert all(answer == told[0] for answer in told)
    assert len(set(costs[1:])) == 1


# --- Renewing ----------------------------------------------------------------------


def test_inviting_again_renews_the_one_invitation(api: SignIn, acme: Tenant) -> None:
    old = invited(api(acme.admin), acme)
    first = row()
    new = invited(api(acme.owner), acme, role="admin")
    renewed = row()
    assert (renewed.pk, renewed.created_at) == (first.pk, first.created_at)
    assert renewed.expires_at > first.expires_at
    assert (renewed.role, renewed.inviter) == (Role.ADMIN, acme.owner)
    assert (opens(api(), old), opens(api(), new)) == (False, True)
    assert len(happened("created")) == 1
    [event] = happened("renewed")
    assert (event.actor_id, event.target_id) == (acme.owner.pk, first.pk)
    assert event.organization_id == acme.organization.pk
    assert len(mails(KIND)) == 2


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ("dana@example.com", "DANA@example.COM"),
        ("dana@example.com", " dana@example.com "),
        ("dana@example.com", "dana@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com"),
        ("dana@bücher.example", "dana@xn--bcher-kva.example"),
        ("dana@bücher.example", "Dana@BÜCHER.example"),
        ("mark@example.com", "mar\N{KELVIN SIGN}@example.com"),
    ],
)
def test_spellings_of_one_account_are_one_invitation(
    api: SignIn, acme: Tenant, typed: str, again: str
) -> None:
    client = api(acme.admin)
    first, second = invite(client, acme, typed), invite(client, acme, again)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert second.json()["email"] == again.strip()
    assert (Invitation.objects.count(), len(happened("renewed"))) == (1, 1)


@pytest.mark.parametrize("call", ["renew", "revoke", "resend"])
def test_an_admin_does_not_touch_an_invitation_to_own(
    api: SignIn, acme: Tenant, call: str
) -> None:
    token = invited(api(acme.owner), acme, role="owner")
    before, client, url = held(), api(acme.admin), url_of(acme, row())
    answer = {
        "renew": lambda: invite(client, acme),
        "revoke": lambda: client.delete(url),
        "resend": lambda: client.post(f"{url}/resend"),
    }[call]()
    refused(answer, 403, "role_too_high")
    assert held() == before
    assert opens(api(), token)
    assert happened("renewed") == happened("revoked") == []


# --- The list ----------------------------------------------------------------------


def make_invitation(tenant: Tenant, email: str, status: str = "open") -> Invitation:
    is_open = status in {"open", "expired"}
    ends = timezone.now() + timedelta(days=-1 if status == "expired" else 1)
    return tenant.organization.invitations.create(
        email=email,
        email_key=email,
        role=Role.MEMBER,
        token_digest=email,
        state="open" if is_open else status,
        inviter=tenant.owner,
        expires_at=ends,
        ended_at=None if is_open else ends,
    )


@pytest.mark.parametrize("status", ["", *STATUSES])
def test_the_list_has_what_is_open_or_of_another_status(
    api: SignIn, acme: Tenant, globex: Tenant, status: str
) -> None:
    made = [make_invitation(acme, f"{s}@example.com", s) for s in STATUSES]
    make_invitation(globex, "elsewhere@example.com")
    query = f"?status={status}" if status else ""
    [found] = api(acme.admin).get(f"{acme.url}/invitations{query}").json()["data"]
    assert found["status"] == (status or "open")
    assert found["id"] in {str(i.pk) for i in made if i.email.startswith(status)}
    assert "token" not in str(found)


@pytest.mark.parametrize("by", ["created_at", "expires_at", "email"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_the_list_is_sorted_and_paged(
    api: SignIn, acme: Tenant, by: str, direction: str
) -> None:
    made = [make_invitation(acme, f"{n}@example.com") for n in (5, 2, 4, 1, 3)]
    Invitation.objects.filter(email__lt="4").update(created_at=made[0].created_at)
    client, query = api(acme.admin), f"?limit=2&sort_by={by}&sort_order={direction}"
    url = f"{acme.url}/invitations{query}"
    pages = [client.get(f"{url}&page={n}").json() for n in (1, 2, 3, 4)]
    seen = [one["id"] for page in pages for one in page["data"]]
    rows = sorted(Invitation.objects.all(), key=lambda i: (getattr(i, by), i.pk))
    assert seen == [str(i.pk) for i in rows[:: 1 if direction == "asc" else -1]]
    assert [page["pagination"]["page_size"] for page in pages] == [2, 2, 1, 0]
    assert {page["pagination"]["total"] for page in pages} == {5}


@pytest.mark.parametrize(
    "query", ["status=all", "status=", "sort_by=token_digest", "limit=101", "page=0"]
)
def test_a_bad_query_is_told(api: SignIn, acme: Tenant, query: str) -> None:
    answer = api(acme.admin).get(f"{acme.url}/invitations?{query}")
    assert fields(answer) == [query.partition("=")[0]]


def test_the_list_costs_the_same_however_long_it_is(
    api: SignIn, acme: Tenant, django_assert_num_queries: Any
) -> None:
    """Check 250."""
    for number in range(100):
        make_invitation(acme, f"p{number}@example.com")
    client = api(acme.admin)
    for limit in (1, 100):
        with django_assert_num_queries(4):
            page = client.get(f"{acme.url}/invitations?limit={limit}").json()
        assert len(page["data"]) == limit
