"""Staff who are no superusers: they help people, and have no power over staff."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts import services
from accounts.models import User
from audit.models import Event
from config.errors import PermissionDenied
from sessions_app.models import Session
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.mailbox import mails

pytestmark = pytest.mark.django_db

PEOPLE = "/admin/accounts/user/"
OPEN = (
    PEOPLE,
    "/admin/sessions_app/session/",
    "/admin/organizations/organization/",
    "/admin/audit/event/",
    "/admin/outbox/mail/",
)
SHUT = ("/admin/organizations/membership/", "/admin/organizations/invitation/")
FORBIDDEN = ("activate", "deactivate", "delete_softly", "restore", "export")


@pytest.fixture
def sam(db: Any) -> User:
    """With every permission that Django knows: they count for nothing."""
    sam = UserFactory.create(email="sam@example.com", is_staff=True)
    sam.user_permissions.set(Permission.objects.all())
    return sam


@pytest.fixture
def support(api: SignIn, sam: User) -> Browser:
    browser = Browser(api())
    assert browser.sign_in(sam.email).status_code == 302
    return browser


def act(support: Browser, action: str, *people: User) -> Any:
    chosen = {"_selected_action": [str(person.pk) for person in people]}
    return support.post(PEOPLE, {"action": action, **chosen, **CONFIRMED})


def page_of(person: User) -> str:
    return f"{PEOPLE}{person.pk}/change/"


def stored(person: User) -> User:
    return User.objects.get(pk=person.pk)


def test_support_sees_the_rooms_that_are_open_to_it(support: Browser) -> None:
    for path in OPEN:
        assert support.get(path).status_code == 200
    for path in SHUT:
        assert support.get(path).status_code == 403


@pytest.mark.parametrize("word", ["is_staff", "is_superuser", "Rights", "superuser"])
def test_support_sees_no_right_of_anybody(
    support: Browser, root: User, alice: User, word: str
) -> None:
    for path in (PEOPLE, page_of(alice), page_of(root)):
        page = support.get(path)
        assert page.status_code == 200
        assert word not in page.text


@pytest.mark.parametrize("query", ["is_superuser__exact=1", "is_staff=1"])
def test_support_does_not_ask_who_has_a_right(
    support: Browser, root: User, query: str
) -> None:
    answer = support.get(f"{PEOPLE}?{query}")
    assert "root@example.com" not in answer.text


def test_support_edits_the_profile_of_who_has_no_right(
    support: Browser, alice: User, sam: User
) -> None:
    form = {"first_name": "Alix", "is_staff": "on", "is_superuser": "on"}
    support.post(page_of(alice), {**form, "email_verified": "on", **CONFIRMED})
    after = stored(alice)
    assert after.first_name == "Alix"
    assert (after.is_staff, after.is_superuser, after.email_verified) == (False,) * 3
    event = Event.objects.get(action="user.updated")
    assert (event.actor_id, event.data) == (sam.pk, {"fields": ["first_name"]})


@pytest.fixture(params=["superuser", "staff", "themselves"])
def equal(request: pytest.FixtureRequest, root: User, sam: User) -> User:
    """Somebody whom support must not touch."""
    staff = UserFactory.create(is_staff=True)
    return {"superuser": root, "staff": staff, "themselves": sam}[request.param]


def test_support_changes_no_profile_of_staff(support: Browser, equal: User) -> None:
    answer = support.post(page_of(equal), {"first_name": "Evil"})
    assert answer.status_code == 403
    assert stored(equal).first_name == equal.first_name
    event = Event.objects.get(action="access.denied")
    assert (event.outcome, event.data["path"]) == ("denied", page_of(equal))


@pytest.mark.parametrize("action", ["end_sessions", "mail_reset_links"])
def test_support_does_nothing_to_staff(
    support: Browser, api: SignIn, equal: User, action: str
) -> None:
    device = api(equal)
    assert act(support, action, equal).status_code == 302
    assert PermissionDenied.message in support.get(PEOPLE).text
    assert device.get("/users/me").status_code == 200
    assert mails("accounts.password_reset") == []


def test_support_ends_sessions_and_mails_links_on_record(
    support: Browser, api: SignIn, alice: User, root: User, sam: User
) -> None:
    device = api(alice)
    act(support, "end_sessions", alice, root)
    act(support, "mail_reset_links", alice, root)
    assert device.get("/users/me").status_code == 401
    assert [mail.recipient for mail in mails("accounts.password_reset")] == [alice.email]
    for action in ("session.ended", "password.reset_requested"):
        assert Event.objects.get(action=action).actor_id == sam.pk


@pytest.mark.parametrize("action", FORBIDDEN)
def test_what_only_superusers_do_is_refused_and_remembered(
    support: Browser, alice: User, action: str
) -> None:
    assert f'value="{action}"' not in support.get(PEOPLE).text
    before = User.objects.values().get(pk=alice.pk)
    assert act(support, action, alice).status_code == 403
    assert User.objects.values().get(pk=alice.pk) == before
    assert Event.objects.filter(action="access.denied", outcome="denied").count() == 1


@pytest.mark.parametrize(
    ("room", "action"),
    [
        ("/admin/sessions_app/session/", "end_sessions"),
        ("/admin/outbox/mail/", "send_again"),
        ("/admin/organizations/organization/", "deactivate"),
    ],
)
def test_support_only_looks_at_the_other_rooms(
    support: Browser, api: SignIn, alice: User, room: str, action: str
) -> None:
    session = api(alice).session
    chosen = {"_selected_action": str(session.pk)}
    answer = support.post(room, {"action": action, **chosen, **CONFIRMED})
    assert answer.status_code == 403
    assert Session.objects.get(pk=session.pk).is_active


@pytest.mark.parametrize("page", ["add/", "{pk}/delete/"])
@pytest.mark.parametrize("room", OPEN)
def test_nobody_adds_or_deletes_by_hand(
    support: Browser, alice: User, room: str, page: str
) -> None:
    before = User.objects.count()
    path = room + page.format(pk=alice.pk)
    assert support.post(path, {"post": "yes"}).status_code == 403
    assert User.objects.count() == before


@pytest.mark.parametrize("lost", ["is_staff", "is_active", "leaving_since"])
def test_who_lost_the_seat_meanwhile_is_refused_under_the_lock(
    sam: User, alice: User, lost: str
) -> None:
    value = timezone.now() if lost == "leaving_since" else False
    User.objects.filter(pk=sam.pk).update(**{lost: value})
    with pytest.raises(PermissionDenied):
        services.tend_profile(user=alice, by=sam, first_name="Alix")
    with pytest.raises(PermissionDenied):
        services.end_sessions_of(user_ids=[alice.pk], by=sam)
    assert stored(alice).first_name == "Alice"


def test_who_was_lifted_up_meanwhile_is_not_touched(sam: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    with pytest.raises(PermissionDenied):
        services.tend_profile(user=alice, by=sam, first_name="Alix")
    _, refused = services.end_sessions_of(user_ids=[alice.pk], by=sam)
    assert set(refused) == {alice.pk}
