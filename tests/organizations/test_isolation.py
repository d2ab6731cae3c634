"""docs/ACCESS.md is so: every call, as everybody, here and at another's."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.conftest import SignIn
from tests.organizations.access import (
    ANOTHERS,
    OF_ORGANIZATIONS,
    PATHS,
    PEOPLE,
    ROLES,
    TABLE,
    Scene,
    fill,
    make_scene,
    ready,
    routes,
    rows,
)

pytestmark = pytest.mark.django_db

GETS = [call for call in TABLE if call.startswith("GET ")]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


@pytest.fixture
def scene(db: Any, settings: Settings) -> Scene:
    """Here rights are in question, not how often they are used."""
    settings.RATELIMIT_ENABLE = False
    return make_scene()


# --- The table and the routes are one ----------------------------------------------


def test_every_call_that_is_routed_has_a_row() -> None:
    verbs = [verb.lower() for verb in METHODS[:6] if verb != "HEAD"]
    routed = {
        f"{verb.upper()} {path}"
        for path, view in routes().items()
        for verb in verbs
        if hasattr(view, verb)
    }
    assert routed - TABLE.keys() == set()


def test_every_row_has_a_route() -> None:
    assert set(PATHS) == routes().keys()


@pytest.mark.parametrize("path", PATHS)
def test_a_path_answers_no_method_without_a_row(
    api: SignIn, scene: Scene, path: str
) -> None:
    """Found by asking, so a view of any kind is seen."""
    answered = {verb for verb in METHODS if f"{verb} {path}" in TABLE}
    cells = [TABLE[f"{verb} {path}"] for verb in answered]
    answered |= {"HEAD"} if "GET" in answered else set()
    refused = dict.fromkeys(PEOPLE, 405)
    if all(row["anonymous"] == 401 for row in cells):
        refused["anonymous"] = 401
    if all(row["stranger"] == 403 for row in cells):
        kept_out = ("stranger",) if "{organization}" in path else ("stranger", *ROLES)
        refused |= dict.fromkeys(kept_out, 403)
    before = rows()
    for person, status in refused.items():
        client = api(scene.person(person))
        for verb in set(METHODS) - answered:
            answer = client.call(verb, fill(path, scene.here))
            assert answer.status_code == status, (verb, person)
    assert rows() == before


# --- Everybody ---------------------------------------------------------------------


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("call", TABLE)
def test_everybody_gets_what_the_table_says(
    api: SignIn, scene: Scene, call: str, person: str
) -> None:
    caller = scene.person(person)
    client = api(caller)
    prepared = ready(client, call, scene.here, caller)
    before = rows()
    answer = client.call(**prepared)
    assert answer.status_code == TABLE[call][person], answer.text
    if answer.status_code >= 400:
        assert rows() == before
    elif call in OF_ORGANIZATIONS:
        # Whoever may, does: a body that changes nothing would prove nothing.
        assert (rows() == before) is call.startswith("GET ")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("call", OF_ORGANIZATIONS)
def test_at_anothers_everybody_gets_what_the_table_says(
    api: SignIn, scene: Scene, call: str, role: str
) -> None:
    caller = scene.there.person(role)
    client = api(caller)
    prepared = ready(client, call, scene.here, caller)
    before = rows()
    answer = client.call(**prepared)
    assert answer.status_code == TABLE[call][ANOTHERS]
    assert answer.json()["errors"][0]["code"] == "not_a_member"
    assert rows() == before


def test_only_calls_below_an_organization_can_be_anothers() -> None:
    there = {call for call, cells in TABLE.items() if ANOTHERS in cells}
    assert there == set(OF_ORGANIZATIONS)
    assert all(set(cells) >= set(PEOPLE) for cells in TABLE.values())


def test_roles_matter_to_no_call_but_those_of_organizations() -> None:
    for call in TABLE.keys() - set(OF_ORGANIZATIONS):
        assert {TABLE[call][role] for role in ROLES} == {TABLE[call]["stranger"]}, call


@pytest.mark.parametrize("person", PEOPLE[1:])
def test_one_is_oneself_and_nobody_else(api: SignIn, scene: Scene, person: str) -> None:
    caller = scene.person(person)
    assert caller is not None
    client, another = api(caller), api(scene.here.colleague).session
    own = f"/users/{caller.pk}"
    assert client.get(own).status_code == 200
    assert client.patch(own, {"first_name": "New"}).status_code == 200
    assert client.delete(own).status_code == 403
    url = f"/sessions/{another.pk}"
    assert client.patch(url, {"device_name": "New"}).status_code == 403
    assert client.delete(url).status_code == 403
    another.refresh_from_db()
    assert (another.ended_at, another.device_name == "New") == (None, False)


# --- HEAD --------------------------------------------------------------------------


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("call", GETS)
def test_a_head_is_answered_as_its_get(
    api: SignIn, scene: Scene, call: str, person: str
) -> None:
    caller = scene.person(person)
    client = api(caller)
    prepared = ready(client, call, scene.here, caller) | {"method": "HEAD"}
    answer = client.call(**prepared)
    assert answer.status_code == TABLE[call][person]
    assert answer.content == b""


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        ("GET /users/me/export", "export"),
        ("GET /sessions/me", "sessions"),
        ("GET /organizations/{organization}/events", "organization_events"),
    ],
)
def test_a_head_is_counted_with_its_get(
    api: SignIn, scene: Scene, settings: Settings, call: str, limit: str
) -> None:
    settings.RATELIMIT_ENABLE = True
    settings.RATE_LIMITS = settings.RATE_LIMITS | {limit: 2}
    owner = scene.here.tenant.owner
    client = api(owner)
    prepared = ready(client, call, scene.here, owner)
    methods = ("GET", "HEAD", "HEAD", "GET")
    answers = [client.call(**prepared | {"method": method}) for method in methods]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
