"""Sending to a real server: what is accepted, refused, delayed and given up."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from outbox.delivery import (
    BATCH,
    FIRST_PAUSE,
    LEASE,
    deliver_due,
)
from outbox.models import Mail, Status
from tests.outbox.letters import (
    CODE,
    LINK,
    address,
    addresses,
    anew,
    letter,
    mail_to,
    make_due,
    queue,
)
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db

FAULTS = [
    Fault.HANGS_AFTER_GREETING,
    Fault.HANGS_IN_DATA,
    Fault.BREAKS_IN_DATA,
    Fault.REFUSES_LOGIN,
]


@pytest.fixture
def login(settings: Settings) -> None:
    settings.EMAIL_HOST_USER = "backend"
    settings.EMAIL_HOST_PASSWORD = "sesame"


def test_a_mail_arrives_as_it_was_meant(postbox: Postbox) -> None:
    (mail,) = queue()
    assert deliver_due() == 1
    (received,) = postbox.received
    assert received.sender == "noreply@localhost"
    assert received.recipients == [mail.recipient] == [received.message["To"]]
    for kind in ("plain", "html"):
        assert LINK in received.part(kind)
        assert CODE in received.part(kind)
    sent = anew(mail)
    assert (sent.status, sent.attempts, sent.sealed) == (Status.SENT, 1, "")
    assert sent.ended_at is not None


def test_what_is_not_due_stays(postbox: Postbox) -> None:
    queue()
    Mail.objects.update(due_at=timezone.now() + timedelta(seconds=5))
    assert deliver_due() == 0
    assert postbox.received == []
    assert Mail.objects.get().attempts == 0


def test_nothing_is_sent_a_second_time(postbox: Postbox) -> None:
    queue(2)
    assert deliver_due() == 2
    Mail.objects.update(due_at=timezone.now() - timedelta(days=1))
    assert deliver_due() == 0
    assert postbox.addresses == addresses(2)


def test_many_leave_in_a_few_conversations(postbox: Postbox) -> None:
    queue(2 * BATCH)
    assert deliver_due() == 2 * BATCH
    assert postbox.addresses == addresses(2 * BATCH)
    assert postbox.conversations == 2


def test_no_more_is_sent_than_is_wanted(postbox: Postbox) -> None:
    queue(5)
    assert deliver_due(wanted=lambda: len(postbox.received) < 2) == 2
    assert len(postbox.received) == 2
    untouched = Mail.objects.filter(attempts=0)
    assert untouched.due().count() == 3
    assert deliver_due() == 3
    assert postbox.addresses == addresses(5)


def test_a_mail_that_another_has_tried_meanwhile_is_looked_at_anew(
    postbox: Postbox,
) -> None:
    """Between the look and the taking: what is written then must be of this attempt."""
    (mail,) = queue()
    asked = []

    def tried_by_another() -> bool:
        asked.append(1)
        if len(asked) == 2:
            Mail.objects.update(attempts=3)
        return True

    assert deliver_due(wanted=tried_by_another) == 1
    assert (anew(mail).status, anew(mail).attempts) == (Status.SENT, 4)
    assert len(postbox.received) == 1


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_server_delays_every_mail_and_loses_none(
    postbox: Postbox, fault: Fault
) -> None:
    mails = queue(3)
    postbox.fail(fault)
    assert deliver_due() == 0
    assert postbox.received == []
    for mail in map(anew, mails):
        assert (mail.status, mail.attempts) == (Status.WAITING, 1)
        assert mail.last_error
        assert mail.due_at > timezone.now()
    postbox.recover()
    assert deliver_due() == 0
    make_due()
    assert deliver_due() == 3
    assert postbox.addresses == addresses(3)


def test_a_server_that_is_not_there_delays_every_mail_and_loses_none(
    postbox: Postbox,
) -> None:
    queue(3)
    postbox.stop()
    assert deliver_due() == 0
    assert set(Mail.objects.values_list("status", "last_error")) == {
        (Status.WAITING, "ConnectionRefusedError")
    }
    postbox.start()
    make_due()
    assert deliver_due() == 3
    assert postbox.addresses == addresses(3)


def test_a_server_that_breaks_off_in_the_middle_delays_only_what_came_then(
    postbox: Postbox,
) -> None:
    queue(6)
    postbox.fail(Fault.BREAKS_IN_DATA, after=2)
    assert deliver_due() == 2
    waiting = Mail.objects.filter(status=Status.WAITING)
    assert waiting.count() == 4
    postbox.recover()
    make_due()
    assert deliver_due() == 4
    assert postbox.addresses == addresses(6)


@pytest.mark.parametrize("answer", ["421 Busy", "450 Busy", "451 Later", "452 Full"])
def test_one_who_is_refused_for_now_is_delayed_alone(
    postbox: Postbox, answer: str
) -> None:
    queue(5)
    postbox.answers = {address(2): answer}
    assert deliver_due() == 4
    delayed = mail_to(address(2))
    assert (delayed.status, delayed.attempts) == (Status.WAITING, 1)
    assert answer[:3] in delayed.last_error
    assert FIRST_PAUSE * 0.4 < delayed.due_at - timezone.now() <= FIRST_PAUSE
    postbox.answers = {}
    make_due()
    assert deliver_due() == 1
    assert postbox.addresses == addresses(5)
    assert mail_to(address(2)).last_error == ""


@pytest.mark.parametrize("answer", ["550 No such user", "553 Bad", "554 Never"])
def test_one_who_is_refused_for_good_is_given_up_at_once_and_alone(
    postbox: Postbox, answer: str
) -> None:
    queue(5)
    postbox.answers = {address(2): answer}
    assert deliver_due() == 4
    dead = mail_to(address(2))
    assert (dead.status, dead.attempts) == (Status.DEAD, 1)
    assert dead.last_error == f"Recipient refused: {answer[:3]}"
    assert dead.ended_at is not None
    # Kept, so that an operator can send it again.
    assert dead.sealed
    make_due()
    assert deliver_due() == 0
    assert postbox.addresses == sorted({*addresses(5)} - {address(2)})


@pytest.mark.parametrize(
    ("answer", "status"),
    [("451 Later", Status.WAITING), ("554 Looks like spam", Status.DEAD)],
)
def test_a_refused_text_is_delayed_or_given_up(
    postbox: Postbox, answer: str, status: Status
) -> None:
    (mail,) = queue()
    postbox.answer_to_text = answer
    assert deliver_due() == 0
    assert anew(mail).status == status
    assert anew(mail).last_error == f"SMTPDataError: {answer[:3]}"


def test_an_address_that_cannot_be_one_holds_nobody_up(postbox: Postbox) -> None:
    odd = ["x@evil.test\r\nBcc: y@evil.test", "nobody", "é@example.com", "a b@c@d"]
    for recipient in odd:
        letter(recipient).save()
    queue(3)
    assert deliver_due() >= 3
    assert set(addresses(3)) <= set(postbox.addresses)
    assert "y@evil.test" not in postbox.addresses
    assert mail_to(odd[0]).status != Status.SENT


def each_fault(postbox: Postbox) -> list[Callable[[], Any]]:
    to = address(0)
    refusals = [f"{code} <{to}> refused" for code in (421, 451, 550, 554)]
    return [
        *(partial(postbox.fail, fault) for fault in FAULTS),
        *(partial(postbox.answers.update, {to: text}) for text in refusals),
        postbox.stop,
    ]


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("number", range(9))
def test_no_reason_and_no_log_tells_an_address(
    postbox: Postbox, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers repeat it in their refusals."""
    queue()
    each_fault(postbox)[number]()
    assert deliver_due() == 0
    reason = Mail.objects.get().last_error
    assert reason
    assert "@" not in reason
    assert "example.com" not in reason
    assert "mail_delayed" in caplog.text or "mail_given_up" in caplog.text
    assert "@" not in caplog.text
    assert "sesame" not in caplog.text


def test_the_lease_is_longer_than_a_server_can_hang(settings: Settings) -> None:
    """What a conversation takes at most, with each of its steps answered just in time."""
    steps = ["connect", "greeting", "EHLO", "STARTTLS", "TLS", "EHLO", "AUTH"]
    steps += ["MAIL", "RCPT", "DATA", "text", "QUIT"]
    longest = timedelta(seconds=settings.EMAIL_TIMEOUT * len(steps))
    assert 2 * longest < LEASE
