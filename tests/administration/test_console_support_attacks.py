"""A support account that wants more than it has."""

from typing import Any

import pytest

from accounts.models import User
from audit import services as audit
from audit.models import Event
from sessions_app.models import Session
from tests.accounts.console import CONFIRMED, Browser
from tests.administration.test_console_support import PEOPLE, page_of, stored
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import mails

pytestmark = pytest.mark.django_db

AUTOCOMPLETE = "/admin/autocomplete/?app_label={}&model_name={}&field_name={}&term={}"
RIGHTS = ("is_staff", "is_superuser", "Staff status", "Superuser status")


@pytest.fixture
def sam(db: Any) -> User:
    return UserFactory.create(email="sam@example.com", is_staff=True)


@pytest.fixture
def support(api: SignIn, sam: User) -> Browser:
    return entered(api, sam)


def entered(api: SignIn, person: User) -> Browser:
    browser = Browser(api())
    assert browser.sign_in(person.email).status_code == 302
    return browser


@pytest.fixture
def lifted(api: SignIn, root: User, alice: User) -> User:
    """Somebody to whom a superuser gave rights in the console."""
    form = {"first_name": "Alice", "is_staff": "on", "is_superuser": "on"}
    entered(api, root).post(page_of(alice), {**form, **CONFIRMED})
    assert stored(alice).is_superuser
    return alice


def no_right_in(text: str) -> bool:
    return not any(word in text for word in RIGHTS)


# --- Whose rights are whose --------------------------------------------------------


def test_no_history_tells_who_was_given_a_right(support: Browser, lifted: User) -> None:
    page = support.get(f"{PEOPLE}{lifted.pk}/history/")
    assert no_right_in(page.text)


@pytest.mark.parametrize("action", ["user.rights_changed", "user.created"])
def test_no_event_tells_who_was_given_a_right(
    support: Browser, api: SignIn, root: User, lifted: User, action: str
) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, "first_name": "New"}
    assert api(root).post("/admin/users", body | {"is_superuser": True}).is_success
    event = Event.objects.get(action=action)
    page = support.get(f"/admin/audit/event/{event.pk}/change/")
    assert no_right_in(page.text)


@pytest.mark.parametrize(
    "path",
    [
        "/admin/audit/event/?q=user.rights_changed",
        "/admin/audit/event/?q={lifted.pk}",
        "/admin/accounts/user/{lifted.pk}/change/",
    ],
)
def test_no_list_of_events_tells_who_was_given_a_right(
    support: Browser, lifted: User, path: str
) -> None:
    page = support.get(path.format(lifted=lifted))
    assert page.status_code == 200
    assert "user.rights_changed</" not in page.text.replace("</a>", "")


@pytest.mark.parametrize(
    "path",
    [
        "/admin/sessions_app/session/?user__is_superuser__exact=1",
        "/admin/sessions_app/session/?user__password__startswith=argon2",
        "/admin/organizations/organization/?memberships__user__is_staff=1",
        "/admin/audit/event/?data__is_superuser=true",
        "/admin/outbox/mail/?person_id__isnull=0&sealed__startswith=a",
        "/admin/accounts/user/?is_superuser__exact=1",
        "/admin/accounts/user/?groups__isnull=1",
    ],
)
def test_no_list_is_asked_for_what_is_not_shown(support: Browser, path: str) -> None:
    assert support.get(path).status_code in {302, 400}


def test_no_order_tells_who_has_a_right(support: Browser, root: User) -> None:
    for _ in range(3):
        UserFactory.create()
    for order in range(-9, 10):
        page = support.get(f"{PEOPLE}?o={order}").text
        found = [page.index(str(one.pk)) for one in people()]
        assert found in (sorted(found), sorted(found, reverse=True))


def people() -> list[User]:
    return list(User.objects.order_by("-created_at", "-pk"))


@pytest.mark.parametrize("to_field", ["password", "email_key", "is_superuser"])
@pytest.mark.parametrize("page", ["", "{pk}/change/"])
def test_no_popup_hands_out_a_column(
    support: Browser, alice: User, to_field: str, page: str
) -> None:
    path = PEOPLE + page.format(pk=alice.pk)
    form = {"first_name": "Alice", "_popup": "1", "_to_field": to_field}
    asked = support.get(f"{path}?_popup=1&_to_field={to_field}")
    for answer in (asked, support.post(path, form)):
        assert alice.password.rpartition("$")[2] not in answer.text
        assert no_right_in(answer.text)
    assert asked.status_code in {302, 400}


# --- Completions, which no page of ours asks for -----------------------------------


@pytest.mark.parametrize(
    ("app", "model", "field"),
    [
        ("organizations", "membership", "organization"),
        ("sessions_app", "session", "user"),
        ("accounts", "user", "sessions"),
        ("accounts", "user", "memberships"),
        ("accounts", "user", "groups"),
        ("auth", "user", "password"),
    ],
)
@pytest.mark.parametrize("term", ["root", "a%00aa", "%00@example.com", "x" * 3000])
@pytest.mark.filterwarnings("ignore::django.core.paginator.UnorderedObjectListWarning")
def test_no_completion_is_a_fault_or_tells_more_than_a_list(
    support: Browser, root: User, app: str, model: str, field: str, term: str
) -> None:
    answer = support.get(AUTOCOMPLETE.format(app, model, field, term))
    assert answer.status_code in {200, 400, 403, 404}
    assert no_right_in(answer.text)


def test_a_completion_is_for_staff(api: SignIn, root: User) -> None:
    path = AUTOCOMPLETE.format("sessions_app", "session", "user", "root")
    assert "root@example.com" not in Browser(api()).get(path).text


# --- Acting ------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["end_sessions", "mail_reset_links"])
def test_choosing_everybody_reaches_no_staff(
    support: Browser, api: SignIn, root: User, alice: User, action: str
) -> None:
    spared, reached = api(root), api(alice)
    form = {"action": action, "_selected_action": str(alice.pk), "select_across": "1"}
    assert support.post(PEOPLE, {**form, **CONFIRMED}).status_code == 302
    assert spared.get("/users/me").status_code == 200
    if action == "end_sessions":
        assert reached.get("/users/me").status_code == 401
    assert {mail.recipient for mail in mails("password_reset")} <= {alice.email}


@pytest.mark.parametrize("action", ["end_sessions", "mail_reset_links"])
def test_support_too_is_asked_for_the_password(
    support: Browser, api: SignIn, alice: User, action: str
) -> None:
    api(alice)
    form = {"action": action, "_selected_action": str(alice.pk), "confirmed": "yes"}
    assert 'type="password"' in support.post(PEOPLE, form).text
    assert Session.objects.filter(user=alice).active().exists()
    assert mails("password_reset") == []


@pytest.mark.parametrize(
    "forged",
    [
        {"password": "x", "email": "evil@example.com", "is_active": ""},
        {"is_staff": "on", "is_superuser": "on", "email_verified": "on"},
        {"groups": "1", "user_permissions": "1", "preferences": "{}"},
        {"session_epoch": "9", "deleted_at_0": "2020-01-01", "id": "x"},
    ],
)
def test_support_writes_nothing_but_the_profile(
    support: Browser, alice: User, forged: dict[str, str]
) -> None:
    before = dict(User.objects.values().get(pk=alice.pk))
    support.post(page_of(alice), {"first_name": "Alix", **forged, **CONFIRMED})
    after = dict(User.objects.values().get(pk=alice.pk))
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"first_name", "updated_at"}
    assert not stored(alice).user_permissions.exists()


@pytest.mark.parametrize("query", ["?_popup=1", "?_changelist_filters=q%3Dx", "?_to=id"])
def test_no_way_of_asking_opens_the_form_of_a_superuser(
    support: Browser, root: User, query: str
) -> None:
    form = {"first_name": "Evil", "_popup": "1", "_saveasnew": "1"}
    assert support.post(page_of(root) + query, form).status_code == 403
    assert stored(root).first_name == "Root"
    assert User.objects.count() == 2


def test_support_posts_no_form_of_an_event(support: Browser, alice: User) -> None:
    event = audit.record("thing.done", target=alice)
    before = Event.objects.values().get(pk=event.pk)
    for page in ("change", "history", "delete"):
        form = {"action": "x", "post": "yes"}
        support.post(f"/admin/audit/event/{event.pk}/{page}/", form)
    assert Event.objects.values().get(pk=event.pk) == before
