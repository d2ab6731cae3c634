"""What holds for each call that asks for a mail or is asked for by one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings

from accounts import proofs
from accounts.models import Proof, Purpose, User
from audit.models import Event
from outbox.models import Mail
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.mailbox import token

pytestmark = pytest.mark.django_db

OLD, NEW = "alice@example.com", "new@example.org"
PROVEN = {"current_password": PASSWORD}
LOGIN = {"email": OLD, "password": PASSWORD}

# --- How each link comes about: by an anonymous client and one that is signed in ---


def reset(anyone: Api, _: Api) -> str:
    anyone.post("/auth/password-reset/request", {"email": OLD})
    return token("password_reset")


def verify(anyone: Api, _: Api) -> str:
    anyone.post("/auth/email/resend", {"email": OLD})
    return token("verify_email")


def move(_: Api, device: Api) -> str:
    device.post("/users/me/email", PROVEN | {"new_email": NEW})
    return token("confirm_address")


def go_back(anyone: Api, device: Api) -> str:
    anyone.post("/auth/email/confirm", {"token": move(anyone, device)})
    return token("address_changed")


def disown(anyone: Api, _: Api) -> str:
    anyone.post("/auth/login", LOGIN, headers={"User-Agent": "another"})
    return token("new_device")


def stay(_: Api, device: Api) -> str:
    device.delete("/users/me", json=PROVEN)
    return token("leaving_started")


Mailing = Callable[[Api, Api], str]
RESET = "/auth/password-reset/confirm"
Link = tuple[str, Mailing, Purpose, timedelta]
LINKS: list[Link] = [
    (RESET, reset, Purpose.RESET, timedelta(minutes=30)),
    ("/auth/email/verify", verify, Purpose.VERIFY, timedelta(hours=24)),
    ("/auth/email/confirm", move, Purpose.ADDRESS, timedelta(hours=24)),
    ("/auth/email/restore", go_back, Purpose.RETURN_ADDRESS, timedelta(days=7)),
    ("/auth/disown", disown, Purpose.DISOWN, timedelta(days=7)),
    ("/auth/stay", stay, Purpose.STAY, timedelta(days=14)),
]
each_link = pytest.mark.parametrize(
    ("path", "mailing"), [(path, mailing) for path, mailing, _, _ in LINKS]
)
each_path = pytest.mark.parametrize("path", [path for path, *_ in LINKS])


def follow(client: Api, path: str, link: Any, **kwargs: Any) -> Any:
    more = {"new_password": "plum otter canvas meadow"} if path == RESET else {}
    return client.post(path, {"token": link} | more, **kwargs)


def state() -> list[Any]:
    rows = (User, Session, Proof, Mail, Event)
    return [list(model._base_manager.order_by("pk").values()) for model in rows]


# --- Links -------------------------------------------------------------------------


@each_link
def test_a_link_works_once_without_signing_in(
    api: SignIn, alice: User, path: str, mailing: Mailing
) -> None:
    link = mailing(api(), api(alice))
    answer = follow(api(), path, link)
    assert (answer.status_code, set(answer.json())) == (200, {"success", "message"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-ID"]
    before = state()
    refused(follow(api(), path, link), 400, "link_invalid")
    assert state() == before


@each_link
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_whoever_only_opens_a_link_spends_nothing(
    api: SignIn, alice: User, path: str, mailing: Mailing, method: str
) -> None:
    """Scanners of mail open every link, some with other methods than GET."""
    link = mailing(api(), api(alice))
    before = state()
    answer = api().call(method, f"{path}?token={link}", {"token": link})
    assert answer.status_code == 405
    assert answer.headers["Cache-Control"] == "no-store"
    assert state() == before
    assert follow(api(), path, link).status_code == 200


@each_link
def test_a_token_that_comes_along_is_not_even_read(
    api: SignIn, alice: User, path: str, mailing: Mailing
) -> None:
    link = mailing(api(), api(alice))
    headers = {"Authorization": "Bearer nonsense"}
    assert follow(api(), path, link, headers=headers).status_code == 200


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize("row", LINKS)
@pytest.mark.parametrize(("late", "status"), [(-1, 200), (0, 400)])
def test_a_link_lasts_as_long_as_it_says(
    api: SignIn, alice: User, row: Link, late: int, status: int
) -> None:
    path, mailing, _, lifetime = row
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        link = mailing(api(), api(alice))
        clock.shift(lifetime + timedelta(seconds=late))
        before = state()
        assert follow(api(), path, link).status_code == status
        assert (state() == before) is (status == 400)


@pytest.mark.usefixtures("no_rates")
@pytest.mark.parametrize(("path", "own"), [(row[0], row[2]) for row in LINKS])
def test_a_link_for_one_purpose_serves_no_other(
    api: SignIn, alice: User, path: str, own: Purpose
) -> None:
    for purpose in set(Purpose) - {own}:
        secret = proofs.issue(alice, purpose, timedelta(hours=1), email=NEW)
        before = state()
        refused(follow(api(), path, secret.token), 400, "link_invalid")
        assert state() == before
    secret = proofs.issue(alice, own, timedelta(hours=1), email=NEW)
    assert follow(api(), path, secret.token).status_code == 200


@each_path
@pytest.mark.usefixtures("no_rates")
def test_tokens_of_a_session_are_no_links(api: SignIn, alice: User, path: str) -> None:
    device = api(alice)
    before = state()
    for session_token in (device.tokens.access_token, device.tokens.refresh_token):
        assert follow(api(), path, session_token).status_code in {400, 422}
    assert state() == before


@each_path
@pytest.mark.parametrize(
    "link", ["", " ", "a\0b", "x" * 257, "x" * 5000, None, [], {}, True]
)
def test_what_cannot_be_a_token_is_told_so(
    api: SignIn, alice: User, path: str, link: Any
) -> None:
    assert fields(follow(api(), path, link)) == ["token"]


@each_path
@pytest.mark.parametrize("link", ["x", "x" * 43, "x" * 256, "ключ🔑", "' OR 1=1 --", 7])
def test_what_is_no_token_of_ours_is_invalid(
    api: SignIn, alice: User, path: str, link: Any
) -> None:
    proofs.issue(alice, Purpose.RESET, timedelta(hours=1))
    before = state()
    refused(follow(api(), path, link), 400, "link_invalid")
    assert state() == before


@each_path
def test_without_a_token_it_is_missing(api: SignIn, path: str) -> None:
    assert "token" in fields(api().post(path, {}))


# --- Every call --------------------------------------------------------------------


CALLS = [
    ("password_reset", 3, "/auth/password-reset/request"),
    ("password_reset_confirm", 5, RESET),
    ("verify_email", 10, "/auth/email/verify"),
    ("resend_verification", 3, "/auth/email/resend"),
    ("confirm_email", 10, "/auth/email/confirm"),
    ("restore_email", 10, "/auth/email/restore"),
    ("disown", 10, "/auth/disown"),
    ("stay", 10, "/auth/stay"),
    ("change_email", 5, "/users/me/email"),
]
each_call = pytest.mark.parametrize("path", [path for _, _, path in CALLS])
FULL = {
    "token": "x" * 43,
    "new_password": "plum otter canvas meadow",
    "email": OLD,
    "new_email": NEW,
    **PROVEN,
}


@pytest.mark.parametrize("row", CALLS)
def test_one_call_more_than_its_limit_is_refused_before_any_work(
    api: SignIn, alice: User, bob: User, hashings: list[str], row: tuple[str, int, str]
) -> None:
    name, number, path = row
    assert settings.RATE_LIMITS[name] == number
    device = api(alice)
    statuses = {device.post(path, FULL).status_code for _ in range(number)}
    assert statuses <= {200, 400}
    hashings.clear()
    before = state()
    answer = device.post(path, FULL)
    refused(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (state(), hashings) == (before, [])
    # Whoever is signed in counts alone; everybody else by address.
    assert api(bob).post(path, FULL, peer="203.0.113.5").status_code != 429


@each_call
@pytest.mark.parametrize("body", [[], "x", 7, [{"token": "x"}]])
def test_a_body_of_another_shape_is_refused(
    api: SignIn, alice: User, path: str, body: Any
) -> None:
    answer = api(alice).post(path, body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


@each_call
@pytest.mark.parametrize("content", [b"", b"{", b'{"token": NaN}', b"\xff", b"[" * 5000])
def test_what_is_no_json_is_refused(
    api: SignIn, alice: User, path: str, content: bytes
) -> None:
    device = api(alice)
    before = state()
    headers = {"Content-Type": "application/json"}
    answer = device.call("POST", path, content=content, headers=headers)
    refused(answer, 400 if content else 422)
    assert state() == before


@each_call
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"]
)
def test_a_form_is_not_taken(api: SignIn, alice: User, path: str, kind: str) -> None:
    """A page elsewhere could send one with nobody's leave (checks 34)."""
    content, headers = b"token=x&email=alice%40example.com", {"Content-Type": kind}
    answer = api(alice).call("POST", path, content=content, headers=headers)
    refused(answer, 415, "unsupported_media_type")


@each_call
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_there_is_one_way_to_call_it(
    api: SignIn, alice: User, path: str, method: str
) -> None:
    device = api(alice)
    before = state()
    refused(device.call(method, path, FULL), 405, "method_not_allowed")
    assert state() == before
