"""Several deliver at once, some die: each mail leaves once, and none is forgotten."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from outbox.delivery import LEASE, deliver_due
from outbox.models import Mail, Status
from tests import servers
from tests.outbox.conftest import Deliver
from tests.outbox.letters import (
    addresses,
    anew,
    at_once,
    make_due,
    queue,
)
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 40


@pytest.fixture
def slow_taker(postbox: Postbox, settings: Settings) -> Iterator[threading.Thread]:
    """Has the one mail there is in hand, and waits for a server that hangs."""
    settings.EMAIL_TIMEOUT = 20
    postbox.fail(Fault.HANGS_IN_DATA)

    def work() -> None:
        try:
            deliver_due()
        finally:
            connection.close()

    queue()
    thread = threading.Thread(target=work)
    thread.start()
    postbox.wait_for_hanging()
    yield thread
    postbox.recover()
    thread.join()


def statuses() -> dict[str, int]:
    found = list(Mail.objects.values_list("status", flat=True))
    return {status: found.count(status) for status in set(found)}


def test_threads_that_deliver_together_send_each_mail_once(postbox: Postbox) -> None:
    queue(MANY)
    sent = at_once([deliver_due] * 4)
    assert sum(sent) == MANY
    assert postbox.addresses == addresses(MANY)
    assert set(Mail.objects.values_list("status", "attempts")) == {(Status.SENT, 1)}


def test_processes_that_deliver_together_send_each_mail_once(
    postbox: Postbox, deliver: Deliver
) -> None:
    queue(MANY)
    postbox.fail(Fault.HANGS_IN_DATA)
    processes = [deliver() for _ in range(2)]
    postbox.wait_for_hanging(2)  # each has one in hand, and starts from there
    postbox.recover()
    postbox.wait_for(MANY, 60)
    make_due()
    time.sleep(1)
    assert all(process.poll() is None for process in processes)
    assert postbox.addresses == addresses(MANY)
    assert set(Mail.objects.values_list("status", "attempts")) == {(Status.SENT, 1)}


def test_whoever_is_killed_has_only_delayed_the_mail_in_hand(
    postbox: Postbox, deliver: Deliver, beside: dict[str, str]
) -> None:
    queue(MANY)
    postbox.fail(Fault.HANGS_IN_DATA, after=7)
    process = deliver()
    postbox.wait_for_hanging()
    process.send_signal(signal.SIGKILL)
    process.wait()
    postbox.recover()
    (held,) = Mail.objects.filter(status=Status.WAITING, attempts=1)
    lease = held.due_at - timezone.now()
    assert LEASE - timedelta(seconds=30) < lease <= LEASE
    assert statuses() == {Status.SENT: 7, Status.WAITING: MANY - 7}

    rest = servers.manage("deliver", "--once", environment=beside)
    assert rest.splitlines()[-1] == f"Sent {MANY - 8} mails."
    assert held.recipient not in postbox.addresses
    make_due()
    last = servers.manage("deliver", "--once", environment=beside)
    assert last.splitlines()[-1] == "Sent 1 mails."
    assert postbox.addresses == addresses(MANY)
    assert anew(held).attempts == 2


def test_a_mail_in_hand_is_taken_by_nobody_else(
    postbox: Postbox, slow_taker: threading.Thread
) -> None:
    assert deliver_due() == 0
    assert postbox.hanging == 1
    postbox.recover()
    slow_taker.join()
    assert len(postbox.received) == 1
    assert Mail.objects.get().status == Status.SENT


def test_a_taker_who_fails_too_late_does_not_undo_what_another_did(
    postbox: Postbox, slow_taker: threading.Thread
) -> None:
    make_due()
    postbox.let_newcomers_in()
    assert deliver_due() == 1
    sent = Mail.objects.values().get()
    assert (sent["status"], sent["attempts"]) == (Status.SENT, 2)
    postbox.answer_to_text = "554 Too late"
    postbox.recover()
    slow_taker.join()
    assert Mail.objects.values().get() == sent


def test_a_taker_who_succeeds_too_late_does_not_undo_what_another_did(
    postbox: Postbox, slow_taker: threading.Thread
) -> None:
    make_due()
    postbox.let_newcomers_in()
    postbox.answers = {addresses(1)[0]: "550 No such user"}
    assert deliver_due() == 0
    dead = Mail.objects.values().get()
    assert (dead["status"], dead["attempts"]) == (Status.DEAD, 2)
    postbox.recover()
    slow_taker.join()
    assert len(postbox.received) == 1
    assert Mail.objects.values().get() == dead
