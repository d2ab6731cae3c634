"""Two owners, each against the other and superusers against both: one is left at every
committed state (S11; checks 118, 123).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from random import Random

import pytest

from tests.live_servers.calls import Call, at_once
from tests.live_servers.conftest import Service
from tests.live_servers.queues import manage
from tests.live_servers.tenants import (
    GO,
    OUT,
    Actor,
    arrive,
    ascent,
    events,
    events_about,
    found,
    roles,
    roles_given,
    superusers,
)
from tests.live_servers.watching import NOBODY_IN_CHARGE, OWNERLESS, watched

ROUNDS = 15
DUELS = 10
LOST = {401, 403, 404, 409}

# What is counted, by its call: the event that each success leaves, and no other.
EVENTS = {
    "demote": "member.role_changed",
    "shut out": "member.deactivated",
    "remove": "member.left",
    "leave": "member.left",
    "transfer": "ownership.transferred",
    "deactivate": "user.deactivated",
    "delete": "user.deleted",
    "go": "user.leaving",
    "accept": "invitation.accepted",
}
Blow = tuple[str, Call]


def blows(service: Service, organization: str, one: Actor, other: Actor) -> list[Blow]:
    """What one of them can do to be the only owner, or none."""
    here = f"/organizations/{organization}"
    member = f"{here}/members/{other.id}"
    successor = {"user_id": other.id}
    a, b = service.servers
    return [
        # Each change of a member once: a second time it would change nothing, and be 200.
        ("demote", one.call(a, "PATCH", member, {"role": "member"})),
        ("shut out", one.call(b, "PATCH", member, OUT)),
        *[("remove", one.call(server, "DELETE", member)) for server in (a, b)],
        *[("leave", one.call(server, "POST", f"{here}/leave")) for server in (a, b)],
        *[
            (
                "transfer",
                one.call(server, "POST", f"{here}/transfer-ownership", successor),
            )
            for server in (a, b)
        ],
        ("go", one.call(a, *GO)),
    ]


def blows_from_above(
    service: Service, organization: str, root: Actor, victim: Actor
) -> list[Blow]:
    a, b = service.servers
    path = f"/organizations/{organization}/transfer-ownership"
    return [
        ("deactivate", root.call(a, "PATCH", f"/users/{victim.id}", OUT)),
        ("delete", root.call(b, "DELETE", f"/users/{victim.id}")),
        ("transfer", root.call(b, "POST", path, {"user_id": victim.id})),
    ]


def strike(blows: Sequence[Blow]) -> Counter[str]:
    """How often each event must have been written. Whoever lost was told so cleanly."""
    answers = at_once([call for _, call in blows])
    assert {answer.status for answer in answers} <= {200, *LOST}
    return Counter(
        EVENTS[name]
        for (name, _), answer in zip(blows, answers, strict=True)
        if answer.status == 200
    )


@pytest.mark.parametrize("above", [False, True], ids=["alone", "with a superuser"])
def test_of_two_owners_one_is_left_at_every_moment(service: Service, above: bool) -> None:
    [root] = superusers(service, 1)
    chance = Random(118)  # noqa: S311  # a seed to repeat it by
    people = arrive(service, 2 * ROUNDS)
    for one, two in zip(people[::2], people[1::2], strict=True):
        with watched(service, OWNERLESS):
            here = found(service, one, two)
            calls = blows(service, here, one, two) + blows(service, here, two, one)
            for victim in (one, two) if above else ():
                calls += blows_from_above(service, here, root, victim)
            chance.shuffle(calls)
            expected = strike(calls)
        written = events_about(service, one, two) | events(service, here)
        # Transfers change roles too, and to no such one.
        written["member.role_changed"] = roles_given(service, here)["member"]
        assert {event: written[event] for event in EVENTS.values()} == {
            event: expected[event] for event in EVENTS.values()
        }


@pytest.mark.parametrize("number", [2, 3])
def test_of_superusers_one_is_left_at_every_moment(service: Service, number: int) -> None:
    for _ in range(DUELS):
        people = superusers(service, number)
        calls = [("go", one.call(service.a, *GO)) for one in people]
        pairs = zip(people, people[1:] + people[:1], cycle(service.servers))
        for one, other, server in pairs:
            path = f"/users/{other.id}"
            calls.append(("deactivate", one.call(server, "PATCH", path, OUT)))
            calls += [("delete", one.call(to, "DELETE", path)) for to in service.servers]
        with watched(service, NOBODY_IN_CHARGE):
            expected = strike(calls)
        written = events_about(service, *people)
        assert Counter({event: written[event] for event in expected}) == expected


DEMOTIONS = """
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from django.db import connection
from accounts.models import User
from accounts.services import update_rights
from config.errors import DomainError

people = list(User.objects.filter(pk__in=PEOPLE).order_by("pk"))
start = Barrier(len(people))

def demote(by, other):
    start.wait()
    try:
        update_rights(user=other, by=by, is_staff=False, is_superuser=False)
        return 1
    except DomainError:
        return 0
    finally:
        connection.close()

done = 0
with ThreadPoolExecutor(len(people)) as pool:
    for _ in range(20):
        User.objects.filter(pk__in=PEOPLE).update(is_staff=True, is_superuser=True)
        done += sum(pool.map(demote, people, people[1:] + people[:1]))
print(done)
"""


def test_of_superusers_who_demote_each_other_one_is_left(service: Service) -> None:
    people = superusers(service, 3)
    script = f"PEOPLE = {[person.id for person in people]!r}\n{DEMOTIONS}"
    with watched(service, NOBODY_IN_CHARGE):
        done = int(manage(service, "shell", "-v0", "-c", script))
    # In each round somebody went, and somebody stayed.
    assert 20 <= done == events_about(service, *people)["user.rights_changed"] <= 40


def test_the_only_owner_hands_over_to_who_is_going(service: Service) -> None:
    """As it comes; each order by itself is in test_organization_locks.py."""
    [root] = superusers(service, 1)
    people = arrive(service, 2 * ROUNDS)
    for ada, eve in zip(people[::2], people[1::2], strict=True):
        with watched(service, OWNERLESS):
            organization = found(service, ada)
            hand_over = ascent(service, "transfer", organization, ada, eve)
            above = blows_from_above(service, organization, root, eve)[:2]
            strike([("transfer", hand_over), *above, ("go", eve.call(service.a, *GO))])
        assert events(service, organization)["ownership.transferred"] <= 1


def test_the_only_owner_leaves_to_an_invited_one_who_is_going(service: Service) -> None:
    [root] = superusers(service, 1)
    people = arrive(service, 2 * ROUNDS)
    for ada, eve in zip(people[::2], people[1::2], strict=True):
        with watched(service, OWNERLESS):
            organization = found(service, ada)
            accept = ascent(service, "invitation", organization, ada, eve)
            leave = ada.call(service.a, "POST", f"/organizations/{organization}/leave")
            above = blows_from_above(service, organization, root, eve)[:1]
            strike([("accept", accept), *above, ("leave", leave), ("leave", leave)])
        assert events(service, organization)["member.left"] <= 1


def test_of_two_transfers_by_one_owner_one_is_made(service: Service) -> None:
    for _ in range(DUELS):
        ada, bob, eve = arrive(service, 3)
        with watched(service, OWNERLESS):
            organization = found(service, ada, bob, eve, role="member")
            path = f"/organizations/{organization}/transfer-ownership"
            answers = at_once(
                [
                    ada.call(server, "POST", path, {"user_id": successor.id})
                    for server, successor in zip(service.servers, (bob, eve), strict=True)
                ]
            )
        made = [answer.status == 200 for answer in answers]
        assert sorted(answer.status for answer in answers) == [200, 403]
        owner, member = (bob, eve) if made[0] else (eve, bob)
        assert roles(service, organization) == {
            ada.email: "admin",
            owner.email: "owner",
            member.email: "member",
        }
