"""Many ways into an organization at once, and its limits (S12; checks 124, 247)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests import servers
from tests.live_servers.calls import (
    Answer,
    Call,
    at_once,
    new_email,
    registration,
)
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS, Service
from tests.live_servers.tenants import (
    CLEAN,
    Actor,
    arrive,
    events,
    found,
    invite,
    key,
    roles,
)

CROWD = 100
ROUNDS = 4
INVITATIONS = "SELECT state FROM organizations_invitation WHERE organization_id = ?"


def invitations(service: Service, organization: str) -> Counter[str]:
    """How many there are in each state."""
    rows = service.sql(INVITATIONS, key(service, organization))
    return Counter(state for (state,) in rows)


def told(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    """How often which status, and why."""
    return Counter(
        (answer.status, answer.code if answer.status >= 400 else "") for answer in answers
    )


def by_both(service: Service, who: Actor, bodies: Sequence[dict[str, str]]) -> list[Call]:
    """So many acceptances, on both servers by turns."""
    return [
        who.call(service.servers[n % 2], "POST", "/invitations/accept", body)
        for n, body in enumerate(bodies)
    ]


JOINED = ["invitation.accepted", "member.joined"]


@pytest.mark.parametrize("end", ["revoked", "declined"])
@pytest.mark.parametrize("place", [0, 1, 3, CROWD])
def test_of_a_hundred_acceptances_and_an_end_one_decides(
    service: Service, end: str, place: int
) -> None:
    ada, eve = arrive(service, 2)
    organization = found(service, ada)
    identifier, token = invite(service, ada, organization, eve.email)
    path = f"/organizations/{organization}/invitations/{identifier}"
    decline = ("POST", "/invitations/decline", {"token": token})
    calls = by_both(service, eve, [{"token": token}, {"id": identifier}] * (CROWD // 2))
    ending = {"revoked": ada.call(service.b, "DELETE", path)}
    ending["declined"] = eve.call(service.b, *decline)
    answers = at_once([*calls[:place], ending[end], *calls[place:]])
    ended = answers.pop(place)
    joined = told(answers) == {(200, ""): CROWD}
    assert joined or told(answers) == {(404, "invitation_invalid"): CROWD}
    too_late = 409 if end == "revoked" else 404
    assert ended.status == (too_late if joined else 200)
    assert (eve.email in roles(service, organization)) == joined
    assert invitations(service, organization) == {"accepted" if joined else end: 1}
    written = ["organization.created", "invitation.created"]
    written += JOINED if joined else [f"invitation.{end}"]
    assert events(service, organization) == Counter(written)


def test_of_a_hundred_registrations_with_one_invitation_one_joins(
    service: Service,
) -> None:
    [ada] = arrive(service, 1)
    organization, email = found(service, ada), new_email()
    _, token = invite(service, ada, organization, email, "admin")
    form = registration(email) | {"invitation_token": token}
    answers = at_once(
        [
            Call(service.servers[n % 2], "POST", "/auth/register", form)
            for n in range(CROWD)
        ]
    )
    assert told(answers) == {(201, ""): 1, (404, "invitation_invalid"): CROWD - 1}
    assert roles(service, organization) == {ada.email: "owner", email: "admin"}
    written = events(service, organization)
    assert (written["invitation.accepted"], written["member.joined"]) == (1, 1)
    accounts = "SELECT email_verified FROM accounts_user WHERE email_key = ?"
    assert service.sql(accounts, email) == [(True,)]


def test_invitations_of_one_address_at_once_are_one(service: Service) -> None:
    ada, bob = arrive(service, 2)
    organization, email = found(service, ada, bob), new_email()
    path = f"/organizations/{organization}/invitations"
    bodies = [{"email": email, "role": role} for role in ("member", "admin")] * 10
    answers = at_once(
        [
            by.call(server, "POST", path, body)
            for body in bodies
            for by, server in [(ada, service.a), (bob, service.b)]
        ]
    )
    assert told(answers) == {(201, ""): 40}
    assert invitations(service, organization) == {"open": 1}
    written = events(service, organization)
    assert (written["invitation.created"], written["invitation.renewed"]) == (1, 39)


def test_who_joins_is_not_invited_as_well(service: Service) -> None:
    for ada, eve in zip(*[iter(arrive(service, 20))] * 2, strict=True):
        organization = found(service, ada)
        identifier, _ = invite(service, ada, organization, eve.email)
        path = f"/organizations/{organization}/invitations"
        again = {"email": eve.email, "role": "member"}
        calls = by_both(service, eve, [{"id": identifier}] * 2)
        calls[1:1] = [ada.call(service.b, "POST", path, again)]
        first, invited, second = at_once(calls)
        assert (first.status, second.status) == (200, 200)
        assert told([invited]).keys() <= {(201, ""), (409, "already_member")}
        assert roles(service, organization)[eve.email] == "member"
        assert invitations(service, organization) == {"accepted": 1}


def test_an_organization_is_deleted_while_people_come(service: Service) -> None:
    for number in range(ROUNDS):
        ada, *people = arrive(service, 7)
        organization = found(service, ada)
        here = f"/organizations/{organization}"
        calls = []
        for person in people:
            _, token = invite(service, ada, organization, person.email)
            _, other = invite(service, ada, organization, email := new_email())
            form = registration(email) | {"invitation_token": other}
            body = {"email": new_email(), "role": "member"}
            calls += [
                person.call(service.a, "POST", "/invitations/accept", {"token": token}),
                Call(service.b, "POST", "/auth/register", form),
                ada.call(service.a, "POST", f"{here}/invitations", body),
            ]
        calls[number * 4 : number * 4] = [ada.call(service.b, "DELETE", here)]
        assert {answer.status for answer in at_once(calls)} <= CLEAN
        assert roles(service, organization) == {}
        assert invitations(service, organization) == {}
        assert events(service, organization)["organization.deleted"] == 1


@pytest.mark.parametrize("slug", ["given", "made"])
def test_foundings_at_once_take_a_slug_once(service: Service, slug: str) -> None:
    name = new_email().partition("@")[0]
    body = {"name": name, "slug": name} if slug == "given" else {"name": name}
    people = arrive(service, 12)
    answers = at_once(
        [
            person.call(service.servers[n % 2], "POST", "/organizations", body)
            for n, person in enumerate(people * 2)
        ]
    )
    made = {answer.json["slug"] for answer in answers if answer.status == 201}
    if slug == "given":
        assert told(answers) == {(201, ""): 1, (409, "slug_taken"): 23}
        assert made == {name}
    else:
        assert told(answers) == {(201, ""): 24}
        assert len(made) == 24
        assert name in made


# --- Limits --------------------------------------------------------------------------

LIMITS = {
    "MEMBERS_PER_ORGANIZATION": "4",
    "ORGANIZATIONS_PER_USER": "3",
    "INVITATIONS_PER_ORGANIZATION": "12",
}


@pytest.fixture(scope="module")
def tight(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("logs") / "tight.log"
    settings = servers.environment(live_database, **LIMITS, **CHEAP_HASHING, **NO_LIMITS)
    with ExitStack() as stack:
        a, b = (stack.enter_context(servers.server(settings, log=log)) for _ in range(2))
        yield Service(live_database, a, b, log)


def test_no_more_join_than_an_organization_holds(tight: Service) -> None:
    ada, *people = arrive(tight, 7)
    organization = found(tight, ada)
    calls = []
    for n, person in enumerate(people):
        identifier, _ = invite(tight, ada, organization, person.email)
        calls += by_both(tight, person, [{"id": identifier}])
        _, token = invite(tight, ada, organization, email := new_email())
        form = registration(email) | {"invitation_token": token}
        calls.append(Call(tight.servers[n % 2], "POST", "/auth/register", form))
    answers = at_once(calls)
    assert Counter(answer.status < 400 for answer in answers) == {True: 3, False: 9}
    assert told(answers)[409, "too_many_members"] == 9
    assert len(roles(tight, organization)) == 4
    assert events(tight, organization)["member.joined"] == 3
    assert invitations(tight, organization) == {"accepted": 3, "open": 9}


def test_nobody_belongs_to_more_organizations_than_allowed(tight: Service) -> None:
    eve, *owners = arrive(tight, 6)
    calls = []
    for owner in owners:
        identifier, _ = invite(tight, owner, found(tight, owner), eve.email)
        calls += by_both(tight, eve, [{"id": identifier}] * 2)
        calls.append(eve.call(tight.b, "POST", "/organizations", {"name": "Eve's"}))
    answers = told(at_once(calls))
    assert answers.keys() <= {(200, ""), (201, ""), (409, "too_many_organizations")}
    belongs = "SELECT count(*) FROM organizations_membership WHERE user_id = ?"
    assert tight.number(belongs, key(tight, eve.id)) == 3


def test_no_more_are_invited_than_allowed(tight: Service) -> None:
    [ada] = arrive(tight, 1)
    path = f"/organizations/{(organization := found(tight, ada))}/invitations"
    bodies = [{"email": new_email(), "role": "member"} for _ in range(30)]
    answers = at_once(
        [
            ada.call(tight.servers[n % 2], "POST", path, body)
            for n, body in enumerate(bodies)
        ]
    )
    assert told(answers) == {(201, ""): 12, (409, "too_many_invitations"): 18}
    assert invitations(tight, organization) == {"open": 12}
