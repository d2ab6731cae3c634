from datetime import UTC, datetime, timedelta
from typing import Any

import argon2.low_level
import pytest
import time_machine
from django.contrib.auth.hashers import make_password

from accounts.models import User
from audit.models import Event
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

ALICE = {"email": "alice@example.com", "password": PASSWORD}
WRONG = ALICE | {"password": "wrong wrong wrong wrong"}
FORM = {"username": "alice@example.com", "password": PASSWORD}


def same(answer: Any) -> tuple[int, Any]:
    """All that could tell two answers apart, but for the request id."""
    return answer.status_code, answer.json() | {"instance": ""}


def test_a_sign_in_makes_a_session(api: SignIn, alice: User) -> None:
    answer = api().post("/auth/login", ALICE)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()
    assert set(token) == {
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "user",
    }
    assert (token["token_type"], token["expires_in"]) == ("bearer", 900)
    session = Session.objects.get()
    assert session.user == alice
    event = Event.objects.get(action="session.started")
    assert (event.actor_id, event.target_id, event.address) == (
        alice.pk,
        session.pk,
        "198.51.100.7",
    )


def test_the_password_form_signs_in_as_well(api: SignIn, alice: User) -> None:
    answer = api().call("POST", "/auth/login/oauth", data=FORM)
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == str(alice.pk)
    wrong = api().call("POST", "/auth/login/oauth", data=FORM | {"password": "wrong"})
    assert wrong.status_code == 401
    missing = api().call("POST", "/auth/login/oauth", data={"password": "x"})
    assert missing.json()["errors"][0]["field"] == "username"


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/auth/login", "text/plain", 415),
        ("/auth/login", "application/x-www-form-urlencoded", 415),
        ("/auth/login", "multipart/form-data; boundary=x", 415),
        ("/auth/login", "application/xml", 415),
        ("/auth/login", "application/json; charset=utf-8", 200),
        ("/auth/login/oauth", "application/json", 415),
    ],
)
def test_a_body_must_be_of_its_type(
    api: SignIn, alice: User, path: str, kind: str, status: int
) -> None:
    content = b'{"email": "alice@example.com", "password": "%s"}' % PASSWORD.encode()
    headers = {"Content-Type": kind}
    answer = api().call("POST", path, content=content, headers=headers)
    assert answer.status_code == status


def test_every_reason_gives_one_and_the_same_answer(api: SignIn, alice: User) -> None:
    UserFactory.create(email="inactive@example.com", is_active=False)
    now = datetime.now(UTC)
    UserFactory.create(email="deleted@example.com", is_active=False, deleted_at=now)
    UserFactory.create(email="none@example.com", password=make_password(None))
    expected = same(api().post("/auth/login", WRONG))
    for name in ("unknown", "inactive", "deleted", "none"):
        body = {"email": f"{name}@example.com", "password": PASSWORD}
        assert same(api().post("/auth/login", body)) == expected
    assert expected[0] == 401
    assert expected[1]["errors"][0]["code"] == "invalid_credentials"
    assert not Session.objects.exists()


def test_an_unknown_account_costs_a_hash_as_well(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counting(work: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append("hash")
            return work(*args, **kwargs)

        return counted

    for owner, name in (
        (argon2.low_level, "hash_secret"),
        (argon2.PasswordHasher, "verify"),
    ):
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    api().post("/auth/login", WRONG)
    known = len(calls)
    api().post("/auth/login", WRONG | {"email": "unknown@example.com"})
    assert known == len(calls) - known == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "x",
        7,
        {"email": 7, "password": PASSWORD},
        {"email": "alice@example.com"},
        {"password": PASSWORD},
        {"email": "alice@example.com", "password": {}},
        {"email": None, "password": None},
        {"email": "alice@example.com", "password": "x" * 129},
    ],
)
def test_a_body_of_another_shape_is_refused(
    api: SignIn, alice: User, body: object
) -> None:
    answer = api().post("/auth/login", body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("own_clock")
def test_ten_failures_block_the_pair_for_a_while_and_no_longer(
    api: SignIn, alice: User
) -> None:
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False) as clock:
        for _ in range(10):
            clock.shift(timedelta(seconds=10))
            assert api().post("/auth/login", WRONG).status_code == 401
        clock.shift(timedelta(seconds=10))
        refused = [api().post("/auth/login", body) for body in (WRONG, ALICE)]
        assert [same(answer) for answer in refused] == [same(refused[0])] * 2
        assert refused[0].status_code == 429
        assert refused[0].json()["errors"][0]["code"] == "too_many_attempts"
        wait = int(refused[0].headers["Retry-After"])
        assert 0 < wait <= 15 * 60
        clock.shift(timedelta(seconds=wait + 1))
        assert api().post("/auth/login", ALICE).status_code == 200
    assert Event.objects.filter(action="sign_in.blocked").count() == 1


def test_the_blocked_person_goes_on_elsewhere_and_where_signed_in(
    api: SignIn, alice: User
) -> None:
    device = api(alice)
    for _ in range(10):
        api().post("/auth/login", WRONG, peer="203.0.113.66")
    assert api().post("/auth/login", ALICE, peer="203.0.113.66").status_code == 429
    assert device.get("/users/me").status_code == 200
    body = {"refresh_token": device.tokens.refresh_token}
    assert device.post("/auth/refresh", body).status_code == 200
    assert api().post("/auth/login", ALICE).status_code == 200


def test_guesses_from_everywhere_block_the_account_but_not_its_own_addresses(
    api: SignIn, alice: User
) -> None:
    assert api().post("/auth/login", ALICE).status_code == 200
    for number in range(50):
        peer = f"203.0.113.{number}"
        assert api().post("/auth/login", WRONG, peer=peer).status_code == 401
    stranger = api().post("/auth/login", ALICE, peer="203.0.113.200")
    assert stranger.status_code == 429
    assert api().post("/auth/login", ALICE).status_code == 200


def test_one_address_may_not_try_many_accounts(api: SignIn) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False):
        statuses = [
            api()
            .post("/auth/login", WRONG | {"email": f"p{number}@example.com"})
            .status_code
            for number in range(12)
        ]
    assert statuses == [401] * 10 + [429] * 2


def test_a_failure_of_one_does_not_count_for_another(
    api: SignIn, alice: User, bob: User
) -> None:
    for _ in range(5):
        api().post("/auth/login", WRONG)
    body = {"email": bob.email, "password": PASSWORD}
    assert api().post("/auth/login", body).status_code == 200


@pytest.mark.usefixtures("own_clock")
def test_success_gives_the_count_back(api: SignIn, alice: User) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(3):
            for _ in range(9):
                clock.shift(timedelta(seconds=7))
                assert api().post("/auth/login", WRONG).status_code == 401
            clock.shift(timedelta(seconds=7))
            assert api().post("/auth/login", ALICE).status_code == 200


@pytest.mark.parametrize("scheme", ["pbkdf2_sha256", "bcrypt", "bcrypt_sha256"])
@pytest.mark.parametrize("password", [PASSWORD, "zebra-Quartz7 lamp " * 6])
def test_older_hashes_are_verified_and_upgraded(
    api: SignIn, scheme: str, password: str
) -> None:
    encoded = make_password(password, hasher=scheme)
    user = UserFactory.create(email="old@example.com", password=encoded)
    body = {"email": user.email, "password": password}
    wrong = api().post("/auth/login", body | {"password": "x" + password})
    assert wrong.status_code == 401
    assert api().post("/auth/login", body).status_code == 200
    assert User.objects.get().password.startswith("argon2$argon2id$")
    assert api().post("/auth/login", body).status_code == 200


def test_a_failure_is_recorded_with_whom_it_was_about(api: SignIn, alice: User) -> None:
    api().post("/auth/login", WRONG)
    event = Event.objects.get(action="sign_in.failed")
    assert (event.outcome, event.actor_id, event.target_id) == (
        "failure",
        None,
        alice.pk,
    )
    assert event.request_id
