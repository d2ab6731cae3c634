"""At rest, nobody reads what a mail says: not the link, not the code, not the name."""

import pytest
from cryptography.fernet import InvalidToken
from django.core import mail as locmem
from django.db import connection
from pytest_django.fixtures import Settings

from outbox.delivery import MAXIMUM_ATTEMPTS, deliver_due
from outbox.models import Mail, Status
from outbox.sealing import seal, unseal
from tests import mailbox
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.outbox.letters import CODE, LINK, anew, letter, mail_to, make_due, queue

pytestmark = pytest.mark.django_db

NAME = "Wilhelmina-Sentinel"


def stored(table: str) -> str:
    """Every value of every row, as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # a table of ours
        return "\n".join(str(row) for row in cursor.fetchall())


def test_no_column_of_a_mail_tells_what_it_says() -> None:
    queue(name=NAME)
    row = stored("outbox_mail")
    assert "person00@example.com" in row
    for secret in (NAME, CODE, LINK, LINK.partition("=")[2], "example.com/verify"):
        assert secret not in row


def test_a_link_that_was_mailed_stands_in_no_table_at_all(api: SignIn) -> None:
    address = "new@example.com"
    body = {"email": address, "password": PASSWORD, "first_name": NAME}
    assert api().post("/auth/register", body).status_code == 201
    asked = api().post("/auth/password-reset/request", {"email": address})
    assert asked.status_code == 200
    tokens = [mailbox.token("verify_email"), mailbox.token("password_reset")]
    code = mailbox.contents("verify_email")["code"]
    assert all(len(token) > 30 for token in tokens)
    tables = connection.introspection.table_names()
    dump = "\n".join(stored(table) for table in tables)
    assert NAME in dump
    assert [token for token in tokens if token in dump] == []
    assert NAME not in stored("outbox_mail")
    assert code not in "".join(mail.sealed for mail in Mail.objects.all())
    assert code not in stored("accounts_proof")


def test_the_same_words_are_sealed_differently_each_time() -> None:
    data = {"code": CODE}
    assert seal(data) != seal(data)
    assert unseal(seal(data)) == data


def test_a_changed_seal_is_not_opened() -> None:
    sealed = seal({"code": CODE})
    middle = len(sealed) // 2
    other = "A" if sealed[middle] != "A" else "B"
    with pytest.raises(InvalidToken):
        unseal(sealed[:middle] + other + sealed[middle + 1 :])


def test_another_key_opens_nothing(settings: Settings) -> None:
    sealed = seal({"code": CODE})
    settings.SECRET_KEY = "another-key-9vQm2sLd8wRt6yBn3zKf-Jx4"
    with pytest.raises(InvalidToken):
        unseal(sealed)


def test_a_mail_that_cannot_be_opened_waits_and_holds_nobody_up(
    settings: Settings,
) -> None:
    queue(3)
    settings.SECRET_KEY = "another-key-9vQm2sLd8wRt6yBn3zKf-Jx4"
    letter("new@example.com").save()
    assert deliver_due() == 1
    assert [message.to for message in locmem.outbox] == [["new@example.com"]]
    assert mail_to("new@example.com").status == Status.SENT
    old = Mail.objects.exclude(recipient="new@example.com")
    assert {(m.status, m.last_error, m.attempts) for m in old} == {
        (Status.WAITING, "InvalidToken", 1)
    }


def test_a_mail_that_cannot_be_opened_leaves_when_the_key_is_back(
    settings: Settings,
) -> None:
    (mail,) = queue()
    right = settings.SECRET_KEY
    settings.SECRET_KEY = "another-key-9vQm2sLd8wRt6yBn3zKf-Jx4"
    assert deliver_due() == 0
    settings.SECRET_KEY = right
    make_due()
    assert deliver_due() == 1
    assert (anew(mail).status, anew(mail).last_error) == (Status.SENT, "")


def test_a_mail_that_can_never_be_opened_is_given_up(settings: Settings) -> None:
    (mail,) = queue()
    settings.SECRET_KEY = "another-key-9vQm2sLd8wRt6yBn3zKf-Jx4"
    for _ in range(MAXIMUM_ATTEMPTS):
        assert anew(mail).status == Status.WAITING
        make_due()
        deliver_due()
    assert (anew(mail).status, anew(mail).last_error) == (Status.DEAD, "InvalidToken")


def test_what_was_sent_is_forgotten() -> None:
    queue(2)
    assert deliver_due() == 2
    assert set(Mail.objects.values_list("status", "sealed")) == {(Status.SENT, "")}


@pytest.mark.parametrize("sealed", ["", "x", "é", "gAAAAA=="])
def test_a_damaged_seal_is_one_mails_misfortune(sealed: str) -> None:
    damaged, _ = queue(2)
    Mail.objects.filter(pk=damaged.pk).update(sealed=sealed)
    assert deliver_due() == 1
    assert anew(damaged).last_error == "InvalidToken"


def test_what_nobody_foresaw_in_a_mail_is_that_mails_misfortune_alone() -> None:
    damaged, *_ = queue(30)
    Mail.objects.filter(pk=damaged.pk).update(sealed=seal({"at": 5}))
    assert deliver_due() == 29
    assert anew(damaged).status == Status.WAITING
    assert anew(damaged).last_error == "TypeError"
