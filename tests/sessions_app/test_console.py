"""The room of the console where sessions are seen and ended."""

from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import Event
from sessions_app.models import EndReason, Session
from tests.accounts.console import CONFIRMED
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

ROOM = "/admin/sessions_app/session/"
CSRF = "c" * 32


class Console:
    """A browser signed in to the console: through the edge, with cookies and CSRF."""

    def __init__(self, client: Api, user: User) -> None:
        self.client = client
        jar = Client()
        jar.force_login(user)
        self.cookies = {settings.CSRF_COOKIE_NAME: CSRF}
        self.cookies |= {name: morsel.value for name, morsel in jar.cookies.items()}

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies}
        answer = self.client.call(method, path, raw=True, headers=headers, **kwargs)
        self.cookies |= answer.cookies
        return answer

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.call("GET", path, params=query)

    def post(self, path: str, data: dict[str, Any] | None = None) -> httpx.Response:
        form = {"csrfmiddlewaretoken": CSRF, **(data or {})}
        return self.call("POST", path, data=form)


@pytest.fixture
def console(api: SignIn, root: User) -> Console:
    return Console(api(), root)


def end(console: Console, *sessions: Session) -> str:
    """What the page says then."""
    chosen = [str(session.pk) for session in sessions]
    data = {"action": "end_sessions", "_selected_action": chosen, **CONFIRMED}
    assert console.post(ROOM, data).status_code == 302
    return console.get(ROOM).text


def is_in(client: Api) -> bool:
    return client.get("/users/me").status_code == 200


def test_an_operator_ends_the_chosen_sessions_at_once(
    api: SignIn, console: Console, alice: User, bob: User, root: User
) -> None:
    devices = [api(alice), api(bob)]
    spared = api(UserFactory.create())
    page = end(console, *[device.session for device in devices])
    assert "2 sessions ended." in page
    assert [is_in(device) for device in [*devices, spared]] == [False, False, True]
    ended = Session.objects.filter(end_reason=EndReason.REVOKED)
    events = Event.objects.filter(action="session.ended", actor_id=root.pk)
    assert set(events.values_list("target_id", flat=True)) == {s.pk for s in ended}


def test_ending_what_has_ended_is_no_second_event(
    api: SignIn, console: Console, alice: User
) -> None:
    device = api(alice)
    device.post("/auth/logout")
    assert "0 sessions ended." in end(console, device.session)
    assert device.session.end_reason == EndReason.LOGOUT
    assert Event.objects.filter(action="session.ended").count() == 1


def test_no_digest_of_a_token_is_shown(
    api: SignIn, console: Console, alice: User
) -> None:
    device = api(alice)
    device.post("/auth/refresh", {"refresh_token": device.tokens.refresh_token})
    session = device.session
    pages = [console.get(ROOM), console.get(f"{ROOM}{session.pk}/change/")]
    for page in pages:
        assert page.status_code == 200
        text = page.text
        assert "alice@example.com" in text
        assert session.previous_digest
        assert session.refresh_digest not in text
        assert session.previous_digest not in text
        assert session.refresh_kid not in text


@pytest.mark.parametrize("field", ["refresh_digest", "previous_digest", "refresh_kid"])
def test_a_digest_is_neither_searched_nor_filtered_by(
    api: SignIn, console: Console, alice: User, field: str
) -> None:
    """Or it could be guessed letter by letter."""
    digest = str(getattr(api(alice).session, field))
    found = console.get(ROOM, q=digest or "x" * 64).text
    assert "alice@example.com" not in found
    answer = console.get(ROOM, **{f"{field}__startswith": digest[:1]})
    assert answer.status_code in {302, 400}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("alice@example.com", True),
        ("ALICE@example.com", True),
        ("{user}", True),
        ("alice", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        ("{pk}", True),
        ("bob@example.com", False),
        ("abc", False),
        ("%", False),
        ("_", False),
        ("' OR 1=1 --", False),
        pytest.param("a" * 2000, False, id="2 kB"),
    ],
)
def test_sessions_are_found_by_person_address_and_id(
    api: SignIn, console: Console, alice: User, query: str, found: bool
) -> None:
    session = api(alice).session
    Session.objects.update(ip_address="198.51.100.7")
    answer = console.get(ROOM, q=query.format(pk=session.pk, user=alice.pk))
    assert answer.status_code == 200
    assert ("alice@example.com" in answer.text) is found


def test_what_a_device_calls_itself_is_text(
    api: SignIn, console: Console, alice: User
) -> None:
    session = api(alice).session
    Session.objects.update(device_name="<script>alert(1)</script>", user_agent="<b>x")
    for path in (ROOM, f"{ROOM}{session.pk}/change/"):
        text = console.get(path).text
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "<b>x" not in text


def test_sessions_are_neither_made_nor_changed_nor_deleted_by_hand(
    api: SignIn, console: Console, alice: User
) -> None:
    session = api(alice).session
    before = Session.objects.values().get()
    assert console.post(f"{ROOM}add/").status_code == 403
    assert console.post(f"{ROOM}{session.pk}/delete/").status_code == 403
    changed = {"device_name": "x", "expires_at_0": "2030-01-01", "expires_at_1": "0:0"}
    assert console.post(f"{ROOM}{session.pk}/change/", changed).status_code == 403
    delete = {"action": "delete_selected", "_selected_action": [session.pk]}
    console.post(ROOM, {**delete, "post": "yes"})
    assert Session.objects.values().get() == before


@pytest.mark.parametrize("path", ["", "add/", "{pk}/change/", "{pk}/delete/"])
@pytest.mark.parametrize(("staff", "status"), [(False, 302), (True, 403)])
def test_the_room_is_seen_by_staff_and_acted_in_by_superusers(
    api: SignIn, alice: User, path: str, staff: bool, status: int
) -> None:
    session = api(alice).session
    User.objects.filter(pk=alice.pk).update(is_staff=staff)
    console = Console(api(), User.objects.get(pk=alice.pk))
    seen = staff and path in {"", "{pk}/change/"}
    answer = console.get(ROOM + path.format(pk=session.pk))
    assert answer.status_code == (200 if seen else status)
    chosen = {"_selected_action": str(session.pk)}
    data = {"action": "end_sessions", **chosen, **CONFIRMED}
    assert console.post(ROOM, data).status_code == status
    assert Session.objects.get().is_active


def test_the_list_costs_as_much_for_fifty_as_for_one(
    api: SignIn, console: Console
) -> None:
    counts = []
    for number in (1, 50):
        while Session.objects.count() < number:
            api(UserFactory.create())
        with CaptureQueriesContext(connection) as queries:
            assert console.get(ROOM).status_code == 200
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("pk", ["abc", "00000000-0000-0000-0000-000000000000", "_00"])
def test_a_session_that_is_not_there_is_no_fault(console: Console, pk: str) -> None:
    answer = console.get(f"{ROOM}{pk}/change/")
    assert answer.status_code in {302, 404}
    end(console, Session(pk="00000000-0000-0000-0000-000000000000"))


def test_a_logout_everywhere_ends_the_console_as_well(
    api: SignIn, console: Console, root: User
) -> None:
    assert console.get(ROOM).status_code == 200
    assert api(root).post("/auth/logout-all").status_code == 200
    assert console.get(ROOM).status_code == 302


def test_the_console_and_the_api_know_nothing_of_each_other(
    api: SignIn, console: Console, root: User
) -> None:
    bearer = {"Authorization": f"Bearer {api(root).tokens.access_token}"}
    assert api().call("GET", ROOM, raw=True, headers=bearer).status_code == 302
    assert console.get("/api/v1/sessions/me").status_code == 401
