"""Following organizations: who may, what they are told, and when that ends."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from accounts import services as accounts
from accounts.models import User
from audit import services as audit
from audit import stream
from config.errors import DomainError
from live import questions, subscriptions, visibility
from organizations import services
from organizations.models import Membership, Organization
from organizations.roles import Capability, Role
from organizations.seats import roles_of, take_seat
from tests.client import signed_in
from tests.factories import make_superuser
from tests.live.conftest import Live
from tests.live.listener import Listener
from tests.organizations.cast import Tenant, add_member, invitation_token

pytestmark = pytest.mark.django_db

Cast = dict[str, User]
WATCHERS = ["member", "admin", "owner", "root"]
SUPERVISORS = ["admin", "owner", "root"]


@pytest.fixture
def cast(acme: Tenant, globex: Tenant, alice: User, root: User) -> Cast:
    shut_out = add_member(acme.organization, Role.ADMIN, is_active=False)
    own = {"member": acme.member, "admin": acme.admin, "owner": acme.owner}
    foreign = {"foreigner": globex.owner, "shut out": shut_out}
    return {**own, **foreign, "stranger": alice, "root": root}


def subscribe(listener: Listener, organization_id: UUID) -> dict[str, Any]:
    return listener.ask("subscribe", organization_id=str(organization_id))


def invite(tenant: Tenant, email: str = "dana@example.com") -> None:
    services.invite_member(by=tenant.seat(tenant.owner), email=email, role=Role.MEMBER)


def rename(tenant: Tenant, name: str = "New") -> None:
    services.update_organization(by=tenant.seat(tenant.owner), name=name)


def change(tenant: Tenant, person: User, **changes: Any) -> None:
    services.update_member(by=tenant.seat(tenant.owner), user_id=person.pk, **changes)


def remove(tenant: Tenant, person: User) -> None:
    services.remove_member(by=tenant.seat(tenant.owner), user_id=person.pk)


# --- Who may -----------------------------------------------------------------------


@pytest.mark.parametrize("who", WATCHERS)
def test_who_has_a_seat_may_follow(
    live: Live, acme: Tenant, cast: Cast, who: str
) -> None:
    listener = live.open(cast[who])
    where = str(acme.organization.pk)
    answer = subscribe(listener, acme.organization.pk)
    assert answer == {"type": "subscribed", "organization_id": where}
    assert subscribe(listener, acme.organization.pk)["type"] == "subscribed"


@pytest.mark.parametrize("who", ["stranger", "foreigner", "shut out"])
def test_who_has_none_is_refused_and_joins_nothing(
    live: Live, acme: Tenant, cast: Cast, who: str
) -> None:
    listener = live.open(cast[who])
    answer = subscribe(listener, acme.organization.pk)
    assert (answer["type"], answer["code"]) == ("error", "not_a_member")
    assert answer["organization_id"] == str(acme.organization.pk)
    assert acme.organization.pk not in live.hub.groups
    with live.committed():
        rename(acme)
        invite(acme)
    assert listener.news() == []


@pytest.mark.parametrize(
    ("who", "code"),
    [("stranger", "not_a_member"), ("owner", "not_a_member"), ("root", "not_found")],
)
def test_an_unknown_organization_is_refused(
    live: Live, cast: Cast, who: str, code: str
) -> None:
    listener = live.open(cast[who])
    assert subscribe(listener, uuid4())["code"] == code


def test_a_suspended_organization_is_for_superusers_only(
    live: Live, acme: Tenant, cast: Cast
) -> None:
    Organization.objects.filter(pk=acme.organization.pk).update(is_active=False)
    assert subscribe(live.open(cast["owner"]), acme.organization.pk)["code"] == (
        "not_a_member"
    )
    assert subscribe(live.open(cast["root"]), acme.organization.pk)["type"] == (
        "subscribed"
    )


def test_an_unknown_and_a_foreign_organization_are_answered_alike(
    live: Live, acme: Tenant, alice: User
) -> None:
    listener = live.open(alice)
    foreign, unknown = (
        subscribe(listener, acme.organization.pk),
        subscribe(listener, uuid4()),
    )
    assert (foreign["code"], foreign["message"]) == (unknown["code"], unknown["message"])


# --- What is told ------------------------------------------------------------------


def join(tenant: Tenant) -> User:
    return add_member(tenant.organization, email="new@example.com")


DEEDS: dict[str, Callable[[Tenant], Any]] = {
    "organization.updated": rename,
    "member.role_changed": lambda t: change(t, t.member, role=Role.ADMIN),
    "member.left": lambda t: remove(t, t.member),
    "invitation.created": invite,
}
NEEDS = {"invitation.created": SUPERVISORS}


@pytest.mark.parametrize("kind", DEEDS)
@pytest.mark.parametrize("who", [*WATCHERS, "other member"])
def test_an_event_is_told_to_whom_its_role_lets_see_it(
    live: Live, acme: Tenant, cast: Cast, kind: str, who: str
) -> None:
    watcher = cast.get(who) or add_member(acme.organization)
    if watcher == acme.member and kind.startswith("member."):
        pytest.skip("It is what happens to them.")
    listener = live.follow(watcher, acme)
    with live.committed():
        DEEDS[kind](acme)
    assert listener.kinds == ([kind] if who in NEEDS.get(kind, [who]) else [])


def test_joining_by_an_invitation_is_told_as_rest_shows_it(
    live: Live, acme: Tenant, alice: User
) -> None:
    alice.email_verified = True
    alice.save()
    above, below = live.follow(acme.owner, acme), live.follow(acme.member, acme)
    with live.committed():
        invite(acme, alice.email)
    with live.committed():
        services.accept_invitation(user=alice, token=invitation_token(alice.email))
    created, accepted, joined = above.news()
    assert below.news() == [joined]
    assert created["type"] == "invitation.created"
    assert created["data"] == {**accepted["data"], "role": "member"}
    assert joined["data"] == {"user_id": str(alice.pk), "role": "member"}
    assert joined["organization_id"] == str(acme.organization.pk)
    listed = signed_in(live.in_process, acme.member).get(f"{acme.url}/members")
    assert str(alice.pk) in listed.text


def test_a_changed_role_is_told_with_the_one_before(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.owner, acme)
    with live.committed():
        change(acme, acme.member, role=Role.ADMIN)
    (told,) = listener.news()
    assert told["data"] == {
        "user_id": str(acme.member.pk),
        "role": "admin",
        "previous_role": "member",
    }


def test_what_changed_is_told_and_not_into_what(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.member, acme)
    with live.committed():
        rename(acme, "Secret plans")
    (told,) = listener.news()
    assert told["data"] == {"fields": ["name"]}
    assert "Secret plans" not in str(told)


@pytest.mark.parametrize("deed", DEEDS.values(), ids=list(DEEDS))
def test_other_organizations_are_told_nothing(
    live: Live, acme: Tenant, globex: Tenant, deed: Callable[[Tenant], Any]
) -> None:
    theirs = live.follow(globex.owner, globex)
    unsubscribed = live.open(acme.owner)
    with live.committed():
        deed(acme)
    assert theirs.news() == []
    assert unsubscribed.news() == []


def test_who_is_shut_out_has_left_for_the_others_and_joins_again(
    live: Live, acme: Tenant
) -> None:
    listener = live.follow(acme.admin, acme)
    for active, kind in [(False, "member.left"), (True, "member.joined")]:
        with live.committed():
            change(acme, acme.member, is_active=active)
        (told,) = listener.news()
        assert (told["type"], told["data"]["user_id"]) == (kind, str(acme.member.pk))


def test_who_does_not_follow_any_more_is_told_nothing(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.owner, acme)
    where = str(acme.organization.pk)
    assert listener.ask("unsubscribe", organization_id=where) == {
        "type": "unsubscribed",
        "organization_id": where,
    }
    with live.committed():
        rename(acme)
    assert listener.news() == []
    assert acme.organization.pk not in live.hub.groups


def test_not_following_what_was_never_followed_is_no_fault(
    live: Live, alice: User
) -> None:
    nothing = str(uuid4())
    answer = live.open(alice).ask("unsubscribe", organization_id=nothing)
    assert answer == {"type": "unsubscribed", "organization_id": nothing}


# --- A changed role ----------------------------------------------------------------


def test_who_is_promoted_sees_more_at_once(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.member, acme)
    with live.committed():
        change(acme, acme.member, role=Role.ADMIN)
    with live.committed():
        invite(acme)
    assert listener.kinds == ["member.role_changed", "invitation.created"]


def test_who_is_demoted_sees_less_at_once(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = live.follow(acme.admin, acme)

    def away(*args: Any) -> None:
        raise OperationalError("away")

    # Whatever the database answers, or does not.
    monkeypatch.setattr(questions, "look", away)
    with live.committed():
        change(acme, acme.admin, role=Role.MEMBER)
    with live.committed():
        invite(acme)
        rename(acme)
    assert listener.kinds == ["member.role_changed", "organization.updated"]


def test_a_transfer_changes_both(live: Live, acme: Tenant) -> None:
    owner, admin = live.follow(acme.owner, acme), live.follow(acme.admin, acme)
    with live.committed():
        services.transfer_ownership(by=acme.seat(acme.owner), user_id=acme.member.pk)
    roles = [live.socket(each).subscriptions for each in (owner, admin)]
    assert not roles[0].see(acme.organization.pk, Capability.MANAGE_OWNERS)
    assert roles[0].see(acme.organization.pk, Capability.MANAGE_INVITATIONS)
    assert admin.kinds == ["member.role_changed"] * 2


@pytest.mark.parametrize("superuser", [True, False])
def test_superusers_see_what_owners_see_for_as_long_as_they_are(
    live: Live, acme: Tenant, root: User, superuser: bool
) -> None:
    other = make_superuser()
    listener = live.follow(other, acme)
    with live.committed():
        accounts.update_rights(
            user=other, by=root, is_staff=superuser, is_superuser=superuser
        )
    listener.news()
    with live.committed():
        invite(acme)
    assert ("invitation.created" in listener.kinds) is superuser


def test_who_becomes_a_superuser_sees_more(live: Live, acme: Tenant, root: User) -> None:
    listener = live.follow(acme.member, acme)
    with live.committed():
        accounts.update_rights(
            user=acme.member, by=root, is_staff=True, is_superuser=True
        )
    assert listener.kinds == ["user.updated"]
    with live.committed():
        invite(acme)
    assert listener.kinds == ["invitation.created"]


# --- The end of it -----------------------------------------------------------------


def leave(tenant: Tenant, root: User) -> None:
    services.leave_organization(by=tenant.seat(tenant.member))


def removed(tenant: Tenant, root: User) -> None:
    remove(tenant, tenant.member)


def shut_out(tenant: Tenant, root: User) -> None:
    change(tenant, tenant.member, is_active=False)


def suspend(tenant: Tenant, root: User) -> None:
    services.set_organization_activity(by=tenant.seat(root), active=False)


def delete(tenant: Tenant, root: User) -> None:
    services.delete_organization(by=tenant.seat(tenant.owner))


@pytest.mark.parametrize("end", [leave, removed, shut_out, suspend, delete])
def test_who_is_out_is_told_so_and_nothing_more(
    live: Live, acme: Tenant, root: User, end: Callable[[Tenant, User], None]
) -> None:
    mine, bystander = live.follow(acme.member, acme), live.follow(acme.admin, acme)
    with live.committed():
        end(acme, root)
        # In the same batch, behind it.
        if end in (leave, removed, shut_out):
            rename(acme)
    assert mine.kinds == ["unsubscribed"]
    assert mine.is_open
    gone = end in (suspend, delete)
    assert bystander.kinds == (
        ["unsubscribed"] if gone else ["member.left", "organization.updated"]
    )
    code = subscribe(mine, acme.organization.pk)["code"]
    assert code == "not_a_member"
    assert live.socket(mine) not in live.hub.of(acme.organization.pk)


def test_all_sockets_of_who_is_out_are_told(live: Live, acme: Tenant) -> None:
    mine = [live.follow(acme.member, acme) for _ in range(3)]
    with live.committed():
        remove(acme, acme.member)
    assert [each.kinds for each in mine] == [["unsubscribed"]] * 3


def test_another_organization_is_followed_on(
    live: Live, acme: Tenant, globex: Tenant
) -> None:
    add_member(globex.organization, user=acme.member)
    listener = live.follow(acme.member, acme)
    subscribe(listener, globex.organization.pk)
    with live.committed():
        remove(acme, acme.member)
    with live.committed():
        rename(globex)
    assert listener.kinds == ["unsubscribed", "organization.updated"]


def test_who_comes_back_may_follow_again(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.member, acme)
    for active in (False, True):
        with live.committed():
            change(acme, acme.member, is_active=active)
    assert listener.kinds == ["unsubscribed"]
    assert subscribe(listener, acme.organization.pk)["type"] == "subscribed"


# --- Too many ----------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAXIMUM", 1)


def test_a_socket_follows_a_limited_number(
    live: Live, acme: Tenant, globex: Tenant, root: User, few: None
) -> None:
    listener = live.follow(root, acme)
    assert subscribe(listener, globex.organization.pk)["code"] == (
        "too_many_subscriptions"
    )
    assert subscribe(listener, acme.organization.pk)["type"] == "subscribed"
    listener.ask("unsubscribe", organization_id=str(acme.organization.pk))
    assert subscribe(listener, globex.organization.pk)["type"] == "subscribed"


def test_one_too_many_is_named(
    live: Live, acme: Tenant, globex: Tenant, root: User, few: None
) -> None:
    answer = subscribe(live.follow(root, acme), globex.organization.pk)
    assert answer["organization_id"] == str(globex.organization.pk)


def test_who_was_refused_takes_no_room(
    live: Live, acme: Tenant, globex: Tenant, few: None
) -> None:
    listener = live.open(acme.member)
    for _ in range(3):
        assert subscribe(listener, globex.organization.pk)["code"] == "not_a_member"
    assert subscribe(listener, acme.organization.pk)["type"] == "subscribed"


# --- Races: an answer of the database that is on its way ---------------------------


class Held:
    """Answers to one question are found, and kept from whoever asked until `give`."""

    def __init__(self, live: Live, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.live = live
        self.found = asyncio.Event()
        self.given = asyncio.Event()
        self.left = 1
        ask = live.hub.thread.ask
        held = getattr(questions, name)

        async def slow(question: Any, *args: Any) -> Any:
            answer = await ask(question, *args)
            if question is held and self.left:
                self.left -= 1
                self.found.set()
                await self.given.wait()
            return answer

        monkeypatch.setattr(live.hub.thread, "ask", slow)

    def wait(self) -> None:
        self.live.run(self.found.wait())

    def give(self) -> None:
        self.given.set()


def hear(live: Live, tenant: Tenant, action: str, person: User, **data: Any) -> None:
    """As the ear does, and what follows of it has not happened yet."""
    event = {
        "id": str(uuid4()),
        "at": "2026-01-01T00:00:00Z",
        "action": action,
        "person_id": str(person.pk),
        "organization_id": str(tenant.organization.pk),
        "target_id": str(person.pk),
        "data": data,
    }

    async def heard() -> None:
        live.hub.hear(event)

    live.run(heard())


@pytest.mark.parametrize("gone", ["member.left", "member.deactivated"])
def test_who_is_removed_while_subscribing_does_not_follow(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    held = Held(live, monkeypatch, "find_role")
    listener = live.open(acme.member)
    listener.say("subscribe", organization_id=str(acme.organization.pk))
    held.wait()
    Membership.objects.filter(user=acme.member).delete()
    hear(live, acme, gone, acme.member)
    held.give()
    assert listener.next()["type"] == "unsubscribed"
    assert listener.ask("ping")["type"] == "pong"
    assert acme.organization.pk not in live.hub.groups


def test_who_is_demoted_while_subscribing_sees_less_at_once(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(live, monkeypatch, "find_role")
    listener = live.open(acme.admin)
    listener.say("subscribe", organization_id=str(acme.organization.pk))
    held.wait()
    with live.committed():
        change(acme, acme.admin, role=Role.MEMBER)
    held.give()
    listener.next("subscribed")
    live.settle()
    with live.committed():
        invite(acme)
    assert "invitation.created" not in listener.kinds


def test_an_answer_from_before_a_demotion_lifts_no_doubt(
    live: Live, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = live.follow(acme.admin, acme)
    socket = live.socket(listener)
    held = Held(live, monkeypatch, "look")
    look = live.loop.create_task(live.hub.look([socket]))
    held.wait()
    change(acme, acme.admin, role=Role.MEMBER)
    again = Held(live, monkeypatch, "look")
    hear(live, acme, "member.role_changed", acme.admin, role="member")
    again.wait()
    held.give()
    live.run(look)
    sees = socket.subscriptions.see(acme.organization.pk, Capability.MANAGE_INVITATIONS)
    again.give()
    live.settle()
    assert not sees


def test_a_changed_role_hides_nothing_of_another_organization(
    live: Live, acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_member(globex.organization, user=acme.member)
    listener = live.follow(globex.admin, globex)
    add_member(acme.organization, user=globex.admin)
    held = Held(live, monkeypatch, "look")
    hear(live, acme, "member.role_changed", globex.admin, role="admin")
    held.wait()
    sees = live.socket(listener).subscriptions.see(
        globex.organization.pk, Capability.MANAGE_INVITATIONS
    )
    held.give()
    live.settle()
    assert sees


def test_who_was_a_superuser_sees_nothing_until_it_is_known(
    live: Live, acme: Tenant, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = live.follow(root, acme)

    def away(*args: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(questions, "look", away)
    with live.committed():
        User.objects.get_queryset().filter(pk=root.pk).update(is_superuser=False)
        audit.record("user.rights_changed", target=root)
    listener.news()
    with live.committed():
        change(acme, acme.member, role=Role.ADMIN)
    assert listener.news() == []


# --- The role ----------------------------------------------------------------------


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("is_member_active", [True, False])
@pytest.mark.parametrize("state", ["active", "suspended", "unknown"])
def test_roles_of_many_are_those_of_each_seat(
    acme: Tenant,
    globex: Tenant,
    superuser: bool,
    role: Role | None,
    is_member_active: bool,
    state: str,
) -> None:
    person = make_superuser() if superuser else add_member(globex.organization)
    if role:
        add_member(acme.organization, role, user=person, is_active=is_member_active)
    tenant = acme.organization.pk if state != "unknown" else uuid4()
    Organization.objects.filter(pk=tenant).update(is_active=state == "active")
    seats = {(person.pk, tenant), (acme.owner.pk, globex.organization.pk)}
    found = roles_of(seats)
    try:
        expected = {(person.pk, tenant): take_seat(person, tenant).role}
    except DomainError:
        expected = {}
    assert found == expected


def test_announced_is_what_the_hub_knows() -> None:
    assert stream.announced == visibility.ANNOUNCED
