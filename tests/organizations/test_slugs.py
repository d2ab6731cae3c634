"""Slugs: what one is, and what is made of a name."""

import re
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from audit.models import Event
from organizations import slugs
from organizations.models import Organization
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, make_organization

pytestmark = pytest.mark.django_db

FORM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
UUID_SHAPED = "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60"
GOOD = ["a", "0", "a-b", "a-0-b", "x" * 255, "a-" * 127 + "b", "m-e", "mee"]
# Near an id, and none.
GOOD += [UUID_SHAPED.replace("-", ""), UUID_SHAPED[:-1], f"{UUID_SHAPED}-a"]
BAD = {
    "blank": "",
    "too long": "x" * 256,
    "upper case": "Acme",
    "underscore": "a_b",
    "inner space": "a b",
    "space before": " acme",
    "space behind": "acme ",
    "line feed behind": "acme\n",
    "line feed before": "\nacme",
    "NUL": "ac\0me",
    "hyphen before": "-acme",
    "hyphen behind": "acme-",
    "two hyphens": "ac--me",
    "hyphen": "-",
    "umlaut": "acmé",
    "other digits": "acme\u0661",
    "full width": "\uff41\uff43",
    "long s": "\u017f",
    "dot": "a.b",
    "slash": "a/b",
    "percent": "a%20b",
    "reserved": "me",
    "like an id": UUID_SHAPED,
    "list": ["acme"],
    "object": {},
    "boolean": True,
}


@pytest.mark.parametrize("slug", GOOD)
def test_a_good_slug_is_an_address(api: SignIn, alice: User, slug: str) -> None:
    client = api(alice)
    answer = client.post("/organizations", {"name": "Acme", "slug": slug})
    assert (answer.status_code, answer.json()["slug"]) == (201, slug)
    assert client.get(f"/organizations/{slug}").json() == answer.json()


@pytest.mark.parametrize("slug", BAD.values(), ids=BAD.keys())
def test_nothing_is_founded_at_a_bad_slug(api: SignIn, alice: User, slug: object) -> None:
    answer = api(alice).post("/organizations", {"name": "Acme", "slug": slug})
    assert set(fields(answer)) == {"slug"}
    assert not Organization.objects.exists()


@pytest.mark.parametrize("slug", [*BAD.values(), None], ids=[*BAD.keys(), "null"])
def test_nothing_moves_to_a_bad_slug(api: SignIn, acme: Tenant, slug: object) -> None:
    answer = api(acme.owner).patch(acme.url, {"name": "New", "slug": slug})
    assert set(fields(answer)) == {"slug"}
    acme.organization.refresh_from_db()
    assert (acme.organization.slug, acme.organization.name) == ("acme", "Acme")


MADE = [
    ("Acme Works", "acme-works"),
    ("  --Acme -- Works--  ", "acme-works"),
    ("Ünïcode Ñame", "unicode-name"),
    ("snake_case_name", "snake-case-name"),
    ("A&B (C)", "ab-c"),
    ("½ off", "12-off"),
    ("\uff21\uff22\uff23", "abc"),
    ("x" * 255, "x" * 255),
    ("a " * 127 + "b", "a-" * 127 + "b"),
    ("\ufb03" * 255, "ffi" * 85),
    ("x" * 254 + "-", "x" * 254),
    ("a\U0001f600b", "ab"),
]


@pytest.mark.parametrize(
    ("name", "slug"), MADE, ids=[f"{number}" for number in range(len(MADE))]
)
def test_a_slug_is_as_like_the_name_as_it_can_be(
    api: SignIn, alice: User, name: str, slug: str
) -> None:
    answer = api(alice).post("/organizations", {"name": name})
    assert (answer.status_code, answer.json()["slug"]) == (201, slug)


@pytest.mark.parametrize("slug", [{}, {"slug": None}], ids=["without", "null"])
@pytest.mark.parametrize(
    "name",
    [
        "\U0001f600",
        "日本",
        "ß",
        "---",
        "___",
        "\u200b",
        "me",
        " Me ",
        "\uff2d\uff25",
        UUID_SHAPED,
        UUID_SHAPED.upper(),
    ],
    ids=ascii,
)
def test_a_name_that_makes_no_slug_gets_a_word(
    api: SignIn, alice: User, name: str, slug: dict[str, None]
) -> None:
    client = api(alice)
    answer = client.post("/organizations", {"name": name} | slug)
    assert re.fullmatch("organization-[0-9a-f]{8}", answer.json()["slug"])
    found = client.get(f"/organizations/{answer.json()['slug']}")
    assert found.json()["id"] == answer.json()["id"]


@pytest.mark.parametrize("letter", "\uff3f\ufe33\ufe34\ufe4d\ufe4e\ufe4f", ids=ascii)
def test_a_slug_is_made_of_any_name(api: SignIn, alice: User, letter: str) -> None:
    client = api(alice)
    answer = client.post("/organizations", {"name": f"a{letter}b"})
    assert answer.status_code == 201
    assert FORM.fullmatch(answer.json()["slug"])
    found = client.get(f"/organizations/{answer.json()['slug']}")
    assert found.json()["id"] == answer.json()["id"]


@pytest.mark.parametrize("name", ["Acme", "x" * 255, "a-" * 127 + "b"])
def test_a_taken_name_makes_another_slug(api: SignIn, alice: User, name: str) -> None:
    client = api(alice)
    answers = [client.post("/organizations", {"name": name}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    made = [answer.json()["slug"] for answer in answers]
    assert len(set(made)) == 3
    assert all(FORM.fullmatch(slug) and len(slug) <= 255 for slug in made)
    assert all(slug.startswith(slugs.slug_of(name)[:240]) for slug in made)


def test_a_taken_slug_is_told(api: SignIn, acme: Tenant, alice: User) -> None:
    answer = api(alice).post("/organizations", {"name": "Acme", "slug": "acme"})
    refused(answer, 409, "slug_taken")
    assert Organization.objects.count() == 1
    assert not alice.memberships.exists()
    assert not Event.objects.filter(action="organization.created").exists()


@pytest.mark.parametrize("other", ["globex", "asleep"])
def test_nothing_moves_to_the_slug_of_another(
    api: SignIn, acme: Tenant, globex: Tenant, other: str
) -> None:
    make_organization("Asleep", is_active=False)
    answer = api(acme.owner).patch(acme.url, {"name": "New", "slug": other})
    refused(answer, 409, "slug_taken")
    acme.organization.refresh_from_db()
    assert (acme.organization.slug, acme.organization.name) == ("acme", "Acme")
    assert acme.organization.updated_at is None
    assert not Event.objects.filter(action="organization.updated").exists()


def test_a_slug_that_was_left_is_free(
    api: SignIn, acme: Tenant, alice: User, settings: Settings
) -> None:
    settings.RATELIMIT_ENABLE = False
    owner = api(acme.owner)
    assert owner.patch(acme.url, {"slug": "acme-2"}).json()["slug"] == "acme-2"
    assert owner.get("/organizations/acme-2").status_code == 200
    refused(owner.get("/organizations/acme"), 403, "not_a_member")
    answer = api(alice).post("/organizations", {"name": "A", "slug": "acme"})
    assert answer.status_code == 201
    refused(owner.get("/organizations/acme"), 403, "not_a_member")


def test_an_id_is_never_taken_for_a_slug(api: SignIn, alice: User) -> None:
    """Nor a slug for an id: 32 hexadecimal digits are a slug like any other."""
    number = uuid4()
    make_organization("Acme", slug=number.hex)
    other = make_organization("Other", id=number)
    found = Organization.objects.at(str(number)).get()
    assert found == other
    assert Organization.objects.at(number.hex).get().name == "Acme"
