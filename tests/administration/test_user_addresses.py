"""A person's address, as superusers change it."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from outbox.models import Mail
from outbox.rendering import render
from tests.administration.changes import actions, changed, put
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import contents, mails, token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_limits")]

NEW = "moved@example.com"


@pytest.fixture
def dora(db: Any) -> User:
    """Whose address is verified."""
    return UserFactory.create(
        email="dora@example.com", first_name="Dora", email_verified=True
    )


def test_a_new_address_is_unverified_and_both_are_written_to(
    api: SignIn, boss: Api, dora: User
) -> None:
    new = changed(boss, dora, email=NEW)
    assert (new["email"], new["email_verified"]) == (NEW, False)
    assert contents("address_changed", to="dora@example.com")["link"] == ""
    assert len(mails("address_changed")) == len(mails("verify_email", to=NEW)) == 1
    old = {"email": "dora@example.com", "password": PASSWORD}
    refused(api().post("/auth/login", old), 401)
    assert api().post("/auth/login", old | {"email": NEW}).status_code == 200
    proof = {"token": token("verify_email", to=NEW)}
    assert api().post("/auth/email/verify", proof).status_code == 200
    assert User.objects.get(pk=dora.pk).email_verified
    assert actions()[0] == "email.changed"


@pytest.mark.parametrize(("mode", "number"), [("off", 0), ("required", 1)])
def test_the_new_address_is_asked_about_where_that_is_the_way(
    boss: Api, dora: User, settings: Settings, mode: str, number: int
) -> None:
    settings.EMAIL_VERIFICATION = mode
    changed(boss, dora, email=NEW)
    assert len(mails("verify_email")) == number
    assert len(mails("address_changed")) == 1


def test_another_spelling_of_the_same_mailbox_stays_verified(
    boss: Api, dora: User
) -> None:
    new = changed(boss, dora, email="DORA@Example.com")
    assert (new["email"], new["email_verified"]) == ("DORA@Example.com", True)
    assert mails("verify_email") == []


def test_another_spelling_is_nothing_to_warn_of(boss: Api, dora: User) -> None:
    changed(boss, dora, email="DORA@Example.com")
    assert mails("address_changed") == []


def test_a_look_alike_is_another_mailbox(boss: Api) -> None:
    mark = UserFactory.create(email="mark@example.com", email_verified=True)
    new = changed(boss, mark, email="mar\u212a@example.com")
    assert new["email_verified"] is False


@pytest.mark.parametrize("taken", ["alice@example.com", "ALICE@example.COM"])
def test_a_taken_address_changes_nothing(
    boss: Api, alice: User, dora: User, taken: str
) -> None:
    answer = put(boss, dora, email=taken, first_name="N", is_superuser=True)
    refused(answer, 409, "address_taken")
    row = User.objects.get(pk=dora.pk)
    assert (row.email, row.first_name) == ("dora@example.com", "Dora")
    assert (row.is_superuser, row.email_verified) == (False, True)
    assert (actions(), mails()) == ([], [])


def move(api: SignIn, person: User, address: str) -> None:
    """As the person does it."""
    body = {"new_email": address, "current_password": PASSWORD}
    assert api(person).post("/users/me/email", body).status_code == 200
    link = {"token": token("confirm_address", to=address)}
    assert api().post("/auth/email/confirm", link).status_code == 200


def test_an_address_promised_to_another_is_not_given_away(
    api: SignIn, boss: Api, alice: User, dora: User
) -> None:
    move(api, dora, NEW)
    refused(put(boss, alice, email="dora@example.com"), 409, "address_taken")
    new = {"email": "DORA@example.com", "password": PASSWORD, "first_name": "N"}
    refused(boss.post("/admin/users", new), 409, "address_taken")
    assert User.objects.get(pk=alice.pk).email == "alice@example.com"
    assert User.objects.count() == 3
    assert changed(boss, dora, email="dora@example.com")["email"] == "dora@example.com"


def test_links_mailed_to_the_old_address_are_dead(
    api: SignIn, boss: Api, dora: User
) -> None:
    api().post("/auth/password-reset/request", {"email": dora.email})
    ask = {"new_email": "other@example.com", "current_password": PASSWORD}
    api(dora).post("/users/me/email", ask)
    reset, confirm = token("password_reset"), token("confirm_address")
    changed(boss, dora, email=NEW)
    body = {"token": reset, "new_password": "plum otter canvas meadow"}
    refused(api().post("/auth/password-reset/confirm", body), 400)
    refused(api().post("/auth/email/confirm", {"token": confirm}), 400)
    assert User.objects.get(pk=dora.pk).email == NEW


def test_a_superuser_s_repair_ends_every_way_back(
    api: SignIn, boss: Api, dora: User
) -> None:
    """Whoever moved it away twice has a link to the first of their addresses."""
    move(api, dora, "thief@example.com")
    move(api, User.objects.get(pk=dora.pk), "thief2@example.com")
    back = {"token": token("address_changed", to="thief@example.com")}
    changed(boss, dora, email="dora@example.com")
    refused(api().post("/auth/email/restore", back), 400, "link_invalid")
    assert User.objects.get(pk=dora.pk).email == "dora@example.com"


@pytest.mark.parametrize("locale", ["en", "it"])
def test_the_notice_promises_no_way_back(boss: Api, dora: User, locale: str) -> None:
    User.objects.filter(pk=dora.pk).update(locale=locale)
    changed(boss, dora, email=NEW)
    ((html, _),) = render(Mail.objects.get(kind="accounts.address_changed")).alternatives
    assert "link" not in str(html).partition("<body")[2].partition("<table")[0]


def test_a_strangers_address_gets_few_notices(boss: Api, settings: Settings) -> None:
    """Whom nobody has shown to be theirs: MAILS_PER_ADDRESS, as for every notice."""
    settings.RATELIMIT_ENABLE = True
    person = UserFactory.create(email="stranger@example.com")
    for number in range(5):
        changed(boss, person, email=f"new{number}@example.com")
        changed(boss, person, email="stranger@example.com")
    assert len(mails("address_changed", to="stranger@example.com")) == 3


def test_whose_address_was_verified_is_always_told(
    boss: Api, dora: User, settings: Settings
) -> None:
    """However much the new address has had."""
    settings.RATELIMIT_ENABLE = True
    for number in range(4):
        person = UserFactory.create(email=f"old{number}@example.com")
        changed(boss, person, email=NEW)
        changed(boss, person, email=f"old{number}@example.com")
    changed(boss, dora, email=NEW)
    assert len(mails("address_changed", to="dora@example.com")) == 1


def test_one_s_own_address_takes_the_password_to_move(boss: Api, root: User) -> None:
    """Check 103: a stolen access token must not be enough."""
    refused(put(boss, root, email=NEW, first_name="N"), 403, "own_account")
    row = User.objects.get(pk=root.pk)
    assert (row.email, row.first_name, mails()) == ("root@example.com", "Root", [])


def test_who_is_shut_out_gets_no_link_that_is_dead(boss: Api, dora: User) -> None:
    boss.post(f"/admin/users/{dora.pk}/deactivate")
    changed(boss, dora, email=NEW)
    assert mails("verify_email") == []
    changed(boss, dora, email="third@example.com", is_active=True)
    assert len(mails("verify_email", to="third@example.com")) == 1
