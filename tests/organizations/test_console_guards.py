"""What the console's rooms for tenants refuse: other people, forged forms, digests."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from audit.models import Event
from organizations.models import Invitation, Membership, Organization
from outbox.models import Mail
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.organizations.cast import Tenant
from tests.organizations.test_console import (
    BASE,
    NOBODY,
    ROOMS,
    Scene,
    make_scene,
    room_url,
)

pytestmark = pytest.mark.django_db

# Of organizations.
OPEN_TO_SUPPORT = {("GET", ""), ("GET", "{pk}/change/")} | {
    (verb, "{pk}/history/") for verb in ("GET", "POST")
}
PAGES = ("", "add/", "{pk}/change/", "{pk}/delete/", "{pk}/history/")


@pytest.fixture
def scene(db: Any) -> Scene:
    return make_scene()


def everything() -> list[Any]:
    """What must be left as it is; the console's own sign-in aside."""
    models = (Organization, Membership, Invitation)
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    denied = Event.objects.filter(action="access.denied").values("pk")
    told = Event.objects.exclude(target_type="user").exclude(pk__in=denied).count()
    return [*rows, told, Mail.objects.filter(kind__startswith="organizations").count()]


# --- Other people ------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 302), ("owner", 302), ("staff", 403)]
)
def test_the_rooms_are_for_superusers(  # noqa: PLR0917  # a table
    api: SignIn, scene: Scene, room: str, page: str, verb: str, who: str, status: int
) -> None:
    browser = enter_as(who, Browser(api()), scene.acme.owner)
    row = scene.row(room)
    path = room_url(room) + page.format(pk=row.pk)
    chosen = {"_selected_action": str(row.pk), "post": "yes"}
    form = {"action": ACTION[room], **chosen, **CONFIRMED}
    before = everything()
    answer = browser.get(path) if verb == "GET" else browser.post(path, form)
    seen = who == "staff" and room == "organization" and (verb, page) in OPEN_TO_SUPPORT
    there = 302 if page == "{pk}/history/" else 200
    assert answer.status_code == (there if seen else status)
    assert "dana@example.com" not in answer.text
    assert everything() == before


ACTION = {"organization": "deactivate", "membership": "remove", "invitation": "revoke"}


def enter_as(who: str, browser: Browser, person: User) -> Browser:
    """Staff with every permission that there is."""
    if who == "staff":
        User.objects.filter(pk=person.pk).update(is_staff=True)
        person.user_permissions.set(Permission.objects.all())
    if who != "nobody":
        browser.sign_in(person.email)
    return browser


def test_staff_are_not_told_of_rooms_that_are_not_theirs(
    api: SignIn, acme: Tenant
) -> None:
    browser = enter_as("staff", Browser(api()), acme.owner)
    for path in ("/admin/", f"{BASE}/"):
        page = browser.get(path)
        assert page.status_code == 200
        assert f"{BASE}/organization/" in page.text
        assert f"{BASE}/membership/" not in page.text
        assert f"{BASE}/invitation/" not in page.text


def test_who_is_no_superuser_any_more_is_out_of_the_rooms(
    console: Browser, scene: Scene, root: User
) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    before = everything()
    for room in ROOMS:
        chosen = {"_selected_action": str(scene.row(room).pk)}
        form = {"action": ACTION[room], **chosen, **CONFIRMED}
        answer = console.post(room_url(room), form)
        assert answer.status_code == 403
    assert everything() == before


@pytest.mark.parametrize("room", ROOMS)
def test_an_action_needs_its_csrf_token(
    console: Browser, scene: Scene, room: str
) -> None:
    before = everything()
    form = {"action": ACTION[room], "_selected_action": str(scene.row(room).pk)}
    answer = console.post(room_url(room), {**form, "csrfmiddlewaretoken": "x" * 32})
    assert answer.status_code == 403
    assert everything() == before


# --- Forged forms ------------------------------------------------------------------

FORGED = {
    "name": "Evil",
    "slug": "evil",
    "is_active": "",
    "settings": "{}",
    "role": "owner",
    "email": "evil@example.com",
    "state": "accepted",
    "token_digest": "0" * 64,
    "_save": "Save",
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("page", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_nothing_is_made_changed_or_deleted_by_hand(
    console: Browser, scene: Scene, room: str, page: str
) -> None:
    path = room_url(room) + page.format(pk=scene.row(room).pk)
    before = everything()
    answer = console.post(path, {**FORGED, "post": "yes", **CONFIRMED})
    # The page of an organization has a form, and this is not a whole one.
    has_form = (room, page) == ("organization", "{pk}/change/")
    assert answer.status_code == (200 if has_form else 403)
    assert console.get(path).status_code == (200 if "change" in page else 403)
    assert everything() == before


@pytest.mark.parametrize("room", ROOMS)
def test_a_page_has_nothing_to_fill_in(console: Browser, scene: Scene, room: str) -> None:
    """But what an organization is called, and its members."""
    text = console.get(room_url(room, scene.row(room))).text
    filled = {"organization": {"_save", "_continue", "name", "slug", "description"}}
    for name in {"_continue", "_addanother", *FORGED} - filled.get(room, set()):
        assert f'name="{name}"' not in text
    assert f'href="{room_url(room)}add/"' not in console.get(room_url(room)).text


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "form",
    [
        {"action": "delete_selected", "post": "yes"},
        {"action": "__init__"},
        {"action": "act"},
        {"action": ""},
        {"action": "\0"},
        {"form-0-role": "owner", "form-TOTAL_FORMS": "1", "_save": "Save"},
    ],
    ids=["delete", "init", "act", "none", "nul", "edit"],
)
def test_a_list_does_what_it_declares_and_no_more(
    console: Browser, scene: Scene, room: str, form: dict[str, str]
) -> None:
    row = str(scene.row(room).pk)
    before = everything()
    sent = {"_selected_action": row, "form-0-id": row, **form}
    answer = console.post(room_url(room), sent)
    assert answer.status_code in {200, 302, 403}
    assert everything() == before


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "chosen",
    ["", "abc", "\0", "1", "x" * 3000],
    ids=["empty", "word", "nul", "number", "long"],
)
def test_a_choice_that_is_no_id_is_no_fault(
    console: Browser, scene: Scene, room: str, chosen: str
) -> None:
    form = {"action": ACTION[room], "_selected_action": chosen, **CONFIRMED}
    assert console.post(room_url(room), form).status_code in {302, 400}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("chosen", [[], [NOBODY]], ids=["none", "unknown"])
def test_a_choice_of_nothing_changes_nothing(
    console: Browser, scene: Scene, room: str, chosen: list[str]
) -> None:
    before = everything()
    form = {"action": ACTION[room], "_selected_action": chosen, **CONFIRMED}
    assert console.post(room_url(room), form).status_code in {200, 302}
    assert " changed." not in console.get(room_url(room)).text
    assert everything() == before


@pytest.mark.parametrize("room", ROOMS)
def test_a_row_of_another_room_is_none_of_this_one(
    console: Browser, scene: Scene, room: str
) -> None:
    others = [str(scene.row(other).pk) for other in ROOMS if other != room]
    before = everything()
    form = {"action": ACTION[room], "_selected_action": others, **CONFIRMED}
    assert console.post(room_url(room), form).status_code == 302
    assert everything() == before
