"""A mail is written with the change that it tells of, and leaves only with it."""

import time

import pytest
from django.core import mail as locmem
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from outbox import bell
from outbox.delivery import deliver_due
from outbox.models import Mail, Status
from outbox.services import queue_mails
from tests.conftest import SignIn
from tests.factories import PASSWORD
from tests.outbox.letters import addresses, letter, queue

pytestmark = pytest.mark.django_db(transaction=True)


class Undone(RuntimeError):
    """What a caller of ours might raise after it has queued."""


def has_rung() -> bool:
    """And is silent then."""
    start = time.monotonic()
    bell.wait(0.3)
    return time.monotonic() - start < 0.2


def queue_and_fail() -> None:
    with transaction.atomic():
        queue_mails([letter()])
        raise Undone


@pytest.mark.usefixtures("quiet_bell")
def test_a_mail_of_work_that_was_undone_was_never_written() -> None:
    with pytest.raises(Undone):
        queue_and_fail()
    assert not Mail.objects.exists()
    assert not has_rung()
    assert deliver_due() == 0
    assert locmem.outbox == []


@pytest.mark.usefixtures("quiet_bell")
def test_a_mail_of_a_part_that_was_undone_goes_with_that_part_alone() -> None:
    with transaction.atomic():
        queue_mails([letter("kept@example.com")])
        with pytest.raises(Undone):
            queue_and_fail()
    assert [mail.recipient for mail in Mail.objects.all()] == ["kept@example.com"]
    assert has_rung()


@pytest.mark.usefixtures("quiet_bell")
def test_a_committed_mail_waits_to_be_sent_and_the_bell_rings_once() -> None:
    with transaction.atomic():
        queue_mails([letter()])
        assert not has_rung()
    mail = Mail.objects.get()
    assert (mail.status, mail.attempts, mail.ended_at) == (Status.WAITING, 0, None)
    assert Mail.objects.due().count() == 1
    assert has_rung()
    assert not has_rung()
    assert deliver_due() == 1
    assert [message.to for message in locmem.outbox] == [["ada@example.com"]]


def test_many_mails_are_written_by_as_many_statements_as_one() -> None:
    counts = []
    for number in (1, 40):
        with CaptureQueriesContext(connection) as queries:
            queue(number)
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]
    assert Mail.objects.count() == 41


def test_an_account_whose_mail_cannot_be_written_is_not_made(api: SignIn) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, "first_name": "New"}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE outbox_mail RENAME TO outbox_away")
    try:
        assert api().post("/auth/register", body).status_code in {500, 503}
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE outbox_away RENAME TO outbox_mail")
    assert not Mail.objects.exists()
    assert not User.objects.exists()
    assert api().post("/auth/register", body).status_code == 201
    assert [mail.recipient for mail in Mail.objects.all()] == ["new@example.com"]


def test_nothing_is_sent_before_it_is_committed() -> None:
    with transaction.atomic():
        queue_mails([letter(to) for to in addresses(3)])
        assert locmem.outbox == []
    assert locmem.outbox == []
    assert deliver_due() == 3
