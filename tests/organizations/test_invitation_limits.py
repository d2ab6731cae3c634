"""What bounds invitations: number, mails, time, and the right of whoever sent them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from httpx import Response
from pytest_django.fixtures import Settings

from accounts.models import User, UserQuerySet
from organizations.models import Invitation, Membership, MembershipQuerySet, Organization
from organizations.roles import Role
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import UserFactory, make_superuser
from tests.mailbox import mails
from tests.organizations.cast import (
    Tenant,
    add_member,
    invitation_token,
    make_organization,
    role_of,
)
from tests.organizations.test_answering_invitations import accept, bare
from tests.organizations.test_inviting import (
    DANA,
    KIND,
    expire,
    happened,
    held,
    invite,
    invited,
    opens,
    row,
    url_of,
)

pytestmark = pytest.mark.django_db

Clock = time_machine.Traveller
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock(own_clock: None) -> Iterator[Clock]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


@pytest.fixture
def dana(db: None) -> User:
    return UserFactory.create(email=DANA, email_verified=True)


# --- How many ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "number", "code"),
    [
        ("MEMBERS_PER_ORGANIZATION", 4, "too_many_members"),
        ("ORGANIZATIONS_PER_USER", 1, "too_many_organizations"),
    ],
)
def test_nobody_joins_where_it_is_full_or_beyond_their_number(
    api: SignIn, acme: Tenant, settings: Settings, setting: str, number: int, code: str
) -> None:
    """Who is shut out counts as well."""
    add_member(acme.organization, is_active=False)
    elsewhere = make_organization("Elsewhere")
    dana = add_member(elsewhere, email=DANA, is_active=False)
    setattr(settings, setting, number)
    token, client = invited(api(acme.owner), acme), api(dana)
    before = held()
    refused(accept(client, token=token), 409, code)
    assert (held(), happened("accepted")) == (before, [])
    setattr(settings, setting, number + 1)
    assert accept(client, token=token).status_code == 200


def test_so_many_invitations_are_open_and_no_more(
    api: SignIn, acme: Tenant, globex: Tenant, settings: Settings
) -> None:
    settings.INVITATIONS_PER_ORGANIZATION = 2
    client = api(acme.owner)
    for email in ("a@example.com", "b@example.com"):
        invited(client, acme, email)
    before = held()
    refused(invite(client, acme), 409, "too_many_invitations")
    assert (held(), len(happened("created"))) == (before, 2)
    assert invite(client, acme, "a@example.com").status_code == 201
    assert invite(api(globex.owner), globex).status_code == 201
    client.delete(url_of(acme, row("b@example.com")))
    assert invite(client, acme, "c@example.com").status_code == 201
    expire(email="c@example.com")
    assert invite(client, acme, "d@example.com").status_code == 201
    again = f"{url_of(acme, row('c@example.com'))}/resend"
    for answer in (invite(client, acme, "c@example.com"), client.post(again)):
        refused(answer, 409, "too_many_invitations")


# --- How many mails ----------------------------------------------------------------


def over(answer: Response, period: timedelta) -> None:
    """Check 145: told for how long, and nothing is mailed."""
    refused(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= period.total_seconds()


@pytest.mark.parametrize("last", ["invite", "renew", "resend"])
def test_an_organization_mails_twenty_an_hour(
    api: SignIn, acme: Tenant, globex: Tenant, clock: Clock, last: str
) -> None:
    for number, client in enumerate([api(acme.owner)] * 12 + [api(acme.admin)] * 8):
        assert invite(client, acme, f"p{number}@example.com").status_code == 201
    clock.shift(timedelta(seconds=59 * 60))

    def once_more() -> Response:
        client, url = api(acme.owner), url_of(acme, row("p0@example.com"))
        if last == "resend":
            return client.post(f"{url}/resend")
        return invite(client, acme, DANA if last == "invite" else "p0@example.com")

    before = held()
    over(once_more(), HOUR)
    assert held() == before
    assert (len(mails(KIND)), happened("renewed")) == (20, [])
    assert invite(api(globex.owner), globex).status_code == 201
    clock.shift(timedelta(minutes=1))
    assert once_more().status_code in {200, 201}


def test_an_organization_mails_an_address_four_times_a_day(
    api: SignIn, acme: Tenant, globex: Tenant, clock: Clock
) -> None:
    client = api(acme.owner)
    for email in (DANA, "DANA@example.com"):
        assert invite(client, acme, email).status_code == 201
    url = url_of(acme, Invitation.objects.get())
    assert client.post(f"{url}/resend").status_code == 200
    assert client.delete(url).status_code == 200
    token = invited(client, acme)
    again = f"{url_of(acme, Invitation.objects.latest('pk'))}/resend"
    for answer in (client.post(again), invite(client, acme, "Dana@example.com")):
        over(answer, DAY)
    assert (len(mails(KIND)), opens(api(), token)) == (4, True)
    assert invite(client, acme, "other@example.com").status_code == 201
    assert invite(api(globex.owner), globex).status_code == 201
    clock.shift(DAY)
    assert api(acme.owner).post(again).status_code == 200


def test_an_address_is_mailed_twenty_times_a_day_by_all_of_them_together(
    api: SignIn, acme: Tenant, root: User, clock: Clock
) -> None:
    for number in range(20):
        other = replace(acme, organization=make_organization(f"T{number}"))
        assert invite(api(root), other).status_code == 201
    # The invited find it in their list; its inviter learns nothing of the others.
    assert invite(api(root), acme, DANA.upper()).status_code == 201
    assert (len(mails(KIND)), Invitation.objects.count()) == (20, 21)
    clock.shift(DAY)
    assert invite(api(root), acme).status_code == 201
    assert len(mails(KIND)) == 21


def test_whoever_may_not_invite_uses_nothing_up(
    api: SignIn, acme: Tenant, alice: User, settings: Settings
) -> None:
    settings.INVITATIONS_PER_TENANT = ((1, HOUR),)
    for person in (acme.member, alice, acme.admin):
        refused(invite(api(person), acme, role="owner"), 403)
    refused(invite(api(acme.owner), acme, "nonsense"), 422)
    refused(invite(api(acme.owner), acme, acme.admin.email), 409, "already_member")
    assert invite(api(acme.owner), acme).status_code == 201
    over(invite(api(acme.owner), acme, "b@example.com"), HOUR)


def test_a_person_invites_so_many_an_hour_from_everywhere_together(
    api: SignIn, acme: Tenant, globex: Tenant, root: User, settings: Settings
) -> None:
    settings.INVITATIONS_PER_INVITER = ((1, HOUR),)
    assert invite(api(root), acme).status_code == 201
    over(invite(api(root), globex), HOUR)
    assert invite(api(globex.owner), globex).status_code == 201


# --- How long ----------------------------------------------------------------------


def test_a_link_is_good_for_seven_days(api: SignIn, acme: Tenant, clock: Clock) -> None:
    token = invited(api(acme.owner), acme)
    clock.shift(timedelta(days=7, seconds=-1))
    assert opens(api(), token)
    clock.shift(timedelta(seconds=1))
    assert (opens(api(), token), row().status) == (False, "expired")


def demote(boss: Api, tenant: Tenant) -> Response:
    return boss.patch(tenant.member_url(tenant.admin), {"role": "member"})


DEATHS: dict[str, Callable[[Api, Tenant], object]] = {
    "expired": lambda boss, tenant: expire(),
    "revoked": lambda boss, tenant: boss.delete(url_of(tenant, row())),
    "renewed": invite,
    "resent": lambda boss, tenant: boss.post(f"{url_of(tenant, row())}/resend"),
    "declined": lambda boss, tenant: Invitation.objects.update(
        state="declined", ended_at=timezone.now()
    ),
    "organization gone": lambda boss, tenant: boss.delete(tenant.url),
    "organization off": lambda boss, tenant: Organization.objects.update(is_active=False),
    "inviter demoted": demote,
}


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("path", ["preview", "accept", "decline"])
def test_whatever_it_died_of_the_answer_is_the_same(
    api: SignIn, acme: Tenant, dana: User, death: str, path: str
) -> None:
    """Check 139."""
    token, client = invited(api(acme.admin), acme), api(dana)
    DEATHS[death](api(acme.owner), acme)
    told, unknown = (
        bare(client.post(f"/invitations/{path}", {"token": text}))
        for text in (token, "x" * 43)
    )
    again = (path, death) == ("decline", "declined")
    assert told[0] == 200 if again else told == unknown
    assert unknown[0] == 404
    assert role_of(acme.organization, dana) is None


# --- The inviter's right -----------------------------------------------------------


def seat(admin: User) -> MembershipQuerySet:
    return Membership.objects.filter(user=admin)


def account(admin: User) -> UserQuerySet:
    return User.objects.get_queryset().filter(pk=admin.pk)


LOSSES: dict[str, Callable[[User], object]] = {
    "demoted": lambda admin: seat(admin).update(role=Role.MEMBER),
    "shut out": lambda admin: seat(admin).update(is_active=False),
    "removed or left": lambda admin: seat(admin).delete(),
    "deactivated": lambda admin: account(admin).update(is_active=False),
    "leaving": lambda admin: account(admin).update(leaving_since=timezone.now()),
    "deleted": lambda a: account(a).update(is_active=False, deleted_at=timezone.now()),
    "erased": lambda admin: Invitation.objects.update(inviter=None),
}


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("loss", LOSSES)
def test_an_invitation_is_worth_what_its_inviter_may_still_do(
    api: SignIn, acme: Tenant, dana: User, loss: str
) -> None:
    token, unknown = invited(api(acme.admin), acme), accept(api(dana), token="x" * 43)
    LOSSES[loss](acme.admin)
    assert not opens(api(), token)
    for body in ({"token": token}, {"id": str(row().pk)}):
        answer = accept(api(dana), **body)
        refused(answer, 404, "invitation_invalid")
        assert bare(answer) == bare(unknown)
    assert (role_of(acme.organization, dana), row().state) == (None, "open")
    # Whoever may takes it over.
    invited(api(acme.owner), acme)
    assert accept(api(dana), token=invitation_token(DANA)).status_code == 200


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [("owner", "owner", 404), ("owner", "admin", 200), ("superuser", "member", 404)],
)
def test_what_an_inviter_still_may_is_asked_when_it_is_accepted(
    api: SignIn, acme: Tenant, dana: User, who: str, role: str, status: int
) -> None:
    inviter = make_superuser() if who == "superuser" else acme.owner
    token = invited(api(inviter), acme, role=role)
    assert opens(api(), token)
    seat(inviter).update(role=Role.ADMIN)
    account(inviter).update(is_superuser=False)
    assert accept(api(dana), token=token).status_code == status
    assert role_of(acme.organization, dana) == (role if status == 200 else None)
