"""Accounts made from the command line obey the same rules."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings

from accounts.management.commands import changepassword
from accounts.models import User
from audit import services as audit
from audit.models import Event
from sessions_app.models import EndReason
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory, make_superuser

pytestmark = pytest.mark.django_db

EMAIL = "first@example.com"
NEW = "plum otter canvas meadow"


@pytest.fixture
def first(settings: Settings) -> Settings:
    settings.FIRST_SUPERUSER_EMAIL = EMAIL
    settings.FIRST_SUPERUSER_PASSWORD = PASSWORD
    return settings


def test_a_fresh_installation_has_no_account(settings: Settings) -> None:
    """Checks 38: no account with a password that somebody else knows."""
    assert not User.objects.exists()
    settings.FIRST_SUPERUSER_EMAIL = settings.FIRST_SUPERUSER_PASSWORD = ""
    call_command("ensure_superuser", verbosity=0)
    assert not User.objects.exists()
    example = Path(configured.BASE_DIR, ".env.example").read_text()
    assert re.search(r"^#FIRST_SUPERUSER_PASSWORD=$", example, re.MULTILINE)


@pytest.mark.parametrize("name", ["FIRST_SUPERUSER_EMAIL", "FIRST_SUPERUSER_PASSWORD"])
def test_half_a_name_makes_nobody(first: Settings, name: str) -> None:
    setattr(first, name, "")
    call_command("ensure_superuser", verbosity=0)
    assert not User.objects.exists()


def test_the_first_superuser_is_recorded(first: Settings) -> None:
    call_command("ensure_superuser", verbosity=0)
    event = Event.objects.get()
    user = User.objects.get()
    assert (event.action, event.target_id) == ("user.registered", user.pk)
    assert event.data == {"superuser": True}
    assert PASSWORD not in str(event.__dict__)
    assert user.password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    "spelling", [EMAIL, "FIRST@EXAMPLE.COM", "\uff26irst@example.com"]
)
def test_another_spelling_makes_no_second_superuser(
    first: Settings, spelling: str
) -> None:
    call_command("ensure_superuser", verbosity=0)
    first.FIRST_SUPERUSER_EMAIL = spelling
    first.FIRST_SUPERUSER_PASSWORD = "another good one 7391"
    try:
        call_command("ensure_superuser", verbosity=0)
    except CommandError:
        # Full-width letters are no address at all.
        assert not spelling.isascii()
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaa",
        "first@example.com",
        "backend-api 2026",
        "x" * 129,
        "x" * 100_000,
    ],
)
def test_the_policy_holds_for_the_first_superuser(first: Settings, password: str) -> None:
    first.FIRST_SUPERUSER_PASSWORD = password
    with pytest.raises(CommandError, match="FIRST_SUPERUSER_PASSWORD") as refusal:
        call_command("ensure_superuser", verbosity=0)
    assert password not in str(refusal.value)
    assert not User.objects.exists()


@pytest.mark.parametrize("fields", [{"is_staff": True}, {"is_active": False}])
def test_an_account_of_that_address_gains_nothing(
    first: Settings, fields: dict[str, Any]
) -> None:
    """Whoever registered the address first would be lifted up by the next start."""
    UserFactory.create(email=EMAIL, **fields)
    before = User.objects.values().get()
    with pytest.raises(CommandError, match="FIRST_SUPERUSER_EMAIL"):
        call_command("ensure_superuser", verbosity=0)
    assert User.objects.values().get() == before


def test_a_superuser_shut_out_is_not_let_in_by_a_restart(first: Settings) -> None:
    make_superuser(email=EMAIL, is_active=False)
    call_command("ensure_superuser", verbosity=0)
    assert not User.objects.get().is_active


def test_half_a_superuser_is_never_left(
    first: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(audit, "_add", fail)
    with pytest.raises(OperationalError):
        call_command("ensure_superuser", verbosity=0)
    monkeypatch.undo()
    assert not User.objects.exists()
    call_command("ensure_superuser", verbosity=0)
    assert User.objects.get().is_superuser


# --- Django's own commands ---------------------------------------------------------


@pytest.mark.parametrize("password", ["password", PASSWORD])
def test_no_superuser_is_made_past_the_policy_and_the_record(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    with pytest.raises(CommandError, match="ensure_superuser"):
        call_command(
            "createsuperuser", "--noinput", "--email", EMAIL, "--first_name", "Admin"
        )
    assert not User.objects.exists()


Typing = Callable[..., None]


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Typing:
    """What an operator types, in turn, where a password is asked for."""

    def prepare(*answers: str) -> None:
        waiting = iter(answers)
        monkeypatch.setattr(changepassword, "getpass", lambda _: next(waiting))

    return prepare


def test_an_operator_sets_a_password_and_every_session_ends(
    api: SignIn, alice: User, typing: Typing
) -> None:
    device = api(alice)
    typing(NEW, NEW)
    call_command("changepassword", "ALICE@example.com", verbosity=0)
    assert User.objects.get(pk=alice.pk).check_password(NEW)
    assert device.get("/users/me").status_code == 401
    assert device.session.end_reason == EndReason.OPERATOR
    event = Event.objects.get(action__startswith="password.")
    assert (event.actor_id, event.target_id) == (None, alice.pk)


@pytest.mark.parametrize(
    ("email", "answers"),
    [
        ("alice@example.com", ("short", "short")),
        ("alice@example.com", ("qwertyuiop123", "qwertyuiop123")),
        ("alice@example.com", ("alice@example.com", "alice@example.com")),
        ("alice@example.com", ("x" * 129, "x" * 129)),
        ("alice@example.com", (NEW, f"{NEW} ")),
        ("nobody@example.com", (NEW, NEW)),
        ("nonsense", (NEW, NEW)),
    ],
)
def test_an_operator_is_held_to_the_policy(
    api: SignIn, alice: User, typing: Typing, email: str, answers: tuple[str, str]
) -> None:
    device = api(alice)
    typing(*answers)
    with pytest.raises(CommandError) as refusal:
        call_command("changepassword", email, verbosity=0)
    assert answers[0] not in str(refusal.value)
    assert User.objects.get(pk=alice.pk).password == alice.password
    assert device.get("/users/me").status_code == 200
