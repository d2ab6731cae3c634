"""Delivery inside the server process: by the bell, whatever a pass comes to."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from outbox import delivery, embedded
from outbox.embedded import Carrier
from outbox.models import Mail, Status
from tests.outbox.letters import address, addresses, make_due, queue
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 2.0


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the bell can wake it."""
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 60)


@pytest.fixture
def carrier(postbox: Postbox) -> Iterator[Carrier]:
    """Not started. The thread has ended behind the test."""
    carrier = Carrier()
    yield carrier
    postbox.recover()
    carrier.stop()
    carrier.thread.join(30)
    assert not carrier.thread.is_alive()


def started(carrier: Carrier, postbox: Postbox) -> None:
    """Has made its first pass, and sleeps."""
    queue(1)
    carrier.start()
    postbox.wait_for(1, SOON)
    wait_until(lambda: not Mail.objects.filter(status=Status.WAITING).exists())
    # Of the connection that the pass had, and then asleep.
    time.sleep(0.2)
    postbox.received.clear()


def wait_until(is_so: Callable[[], bool], seconds: float = SOON) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.usefixtures("no_looks")
def test_a_committed_mail_leaves_at_once(postbox: Postbox, carrier: Carrier) -> None:
    started(carrier, postbox)
    for number in (1, 2, 3):
        queue(1)
        postbox.wait_for(number, SOON)


def test_what_nobody_rang_for_leaves_at_the_next_look(
    postbox: Postbox, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by another process, or due again."""
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 0.3)
    postbox.answers = {address(0): "451 Later"}
    carrier.start()
    queue(1)
    wait_until(lambda: Mail.objects.filter(attempts=1).exclude(last_error="").exists())
    postbox.answers = {}
    make_due()
    postbox.wait_for(1, SOON)


@pytest.mark.usefixtures("no_looks")
def test_it_stops_at_once_when_it_has_nothing_to_do(
    postbox: Postbox, carrier: Carrier
) -> None:
    started(carrier, postbox)
    before = time.monotonic()
    carrier.stop()
    assert time.monotonic() - before < 1
    assert not carrier.thread.is_alive()


def test_it_stops_in_time_while_a_server_hangs_and_takes_no_more(
    postbox: Postbox,
    carrier: Carrier,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.EMAIL_TIMEOUT = 20
    monkeypatch.setattr(embedded, "STOP_SECONDS", 1.0)
    queue(3)
    postbox.fail(Fault.HANGS_AFTER_GREETING)
    carrier.start()
    postbox.wait_for_hanging()
    before = time.monotonic()
    carrier.stop()
    assert time.monotonic() - before < 1.5
    assert carrier.thread.is_alive()
    # It holds no process back from ending.
    assert carrier.thread.daemon
    postbox.recover()
    carrier.thread.join(SOON)
    assert len(postbox.received) == 1
    assert Mail.objects.due().filter(attempts=0).count() == 2


def test_it_stops_within_what_a_server_process_allows_itself() -> None:
    assert embedded.STOP_SECONDS <= 10


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize(
    ("fault", "event"),
    [
        (RuntimeError("unforeseen"), "outbox_crashed"),
        (OperationalError("gone"), "outbox_unreachable"),
    ],
)
def test_a_pass_that_fails_is_logged_and_the_next_one_delivers(
    postbox: Postbox,
    carrier: Carrier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    event: str,
) -> None:
    faults = [fault]

    def failing_once(**kwargs: Any) -> int:
        if faults:
            raise faults.pop()
        return delivery.deliver_due(**kwargs)

    monkeypatch.setattr(embedded, "deliver_due", failing_once)
    carrier.start()
    wait_until(lambda: event in caplog.text)
    assert carrier.thread.is_alive()
    queue(3)
    postbox.wait_for(3, SOON)
    assert postbox.addresses == addresses(3)
    assert caplog.text.count(event) == 1
