"""`manage.py deliver`: once, or until it is told to stop."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from outbox.delivery import LEASE
from outbox.models import Mail, Status
from tests import servers
from tests.outbox.conftest import Deliver
from tests.outbox.letters import addresses, make_due, queue
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_once_it_sends_what_is_due_and_says_how_many(
    postbox: Postbox, capsys: pytest.CaptureFixture[str]
) -> None:
    queue(3)
    call_command("deliver", "--once")
    assert "Sent 3 mails.\n" in capsys.readouterr().out
    call_command("deliver", "--once")
    assert "Sent 0 mails.\n" in capsys.readouterr().out
    assert postbox.addresses == addresses(3)


def test_it_goes_on_until_it_is_told_to_stop(postbox: Postbox, deliver: Deliver) -> None:
    process = deliver()
    for number in (1, 2):
        queue(1)
        postbox.wait_for(number, 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(3) == 0
    queue(1)
    time.sleep(2.5)
    assert len(postbox.received) == 2


def test_an_interrupt_from_the_keyboard_stops_it_as_well(
    postbox: Postbox, deliver: Deliver
) -> None:
    queue(1)
    process = deliver()
    postbox.wait_for(1, 30)
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 0


# `manage.py deliver`, told to stop in the very moment in which it puts the bell to rest.
STOPPED_IN_THE_BELL = """
import signal, sys, threading

lines = []

def trace(frame, event, argument):
    if frame.f_code is threading.Event.clear.__code__:
        lines.append(event)
        # Of its two lines, the second is run with the lock held.
        if lines[-2:] == ["line", "line"]:
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return trace

from django.core.management import execute_from_command_line
sys.settrace(trace)
execute_from_command_line(["manage.py", "deliver"])
"""


def test_it_stops_whatever_it_does_when_it_is_told_to(beside: dict[str, str]) -> None:
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", STOPPED_IN_THE_BELL], cwd=servers.ROOT, env=beside
    )
    try:
        # Should it not have come to that moment, it is told from outside.
        with suppress(subprocess.TimeoutExpired):
            process.wait(8)
        process.terminate()
        assert process.wait(3) == 0
    finally:
        process.kill()
        process.wait()


def test_the_mail_in_hand_is_finished_before_it_stops(
    postbox: Postbox, deliver: Deliver
) -> None:
    queue(3)
    postbox.fail(Fault.HANGS_IN_DATA)
    process = deliver()
    postbox.wait_for_hanging()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    postbox.recover()
    assert process.wait(3) == 0
    assert len(postbox.received) == 1
    sent = Mail.objects.get(status=Status.SENT)
    assert sent.attempts == 1
    assert Mail.objects.due().filter(attempts=0).count() == 2


def test_mails_that_become_due_again_are_sent_by_the_same_process(
    postbox: Postbox, deliver: Deliver
) -> None:
    queue(3)
    postbox.stop()
    process = deliver()
    end = time.monotonic() + 30
    while Mail.objects.filter(attempts=1).exclude(last_error="").count() < 3:
        assert time.monotonic() < end
        time.sleep(0.05)
    postbox.start()
    make_due()
    postbox.wait_for(3, 10)
    assert postbox.addresses == addresses(3)
    assert process.poll() is None


def test_it_outlives_a_table_that_is_away(postbox: Postbox, deliver: Deliver) -> None:
    queue(1)
    process = deliver()
    postbox.wait_for(1, 30)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE outbox_mail RENAME TO outbox_away")
    try:
        time.sleep(3)
        assert process.poll() is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE outbox_away RENAME TO outbox_mail")
    queue(1)
    postbox.wait_for(2, 10)


def test_files_can_be_written_instead(beside: dict[str, str], tmp_path: Path) -> None:
    """EMAIL_URL=filemail:///path, for those who have no mail server yet."""
    queue(2)
    out = servers.manage(
        "deliver", "--once", environment=beside | {"EMAIL_URL": f"filemail://{tmp_path}"}
    )
    assert out.splitlines()[-1] == "Sent 2 mails."
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert all(f"To: {address}" in text for address in addresses(2))


def test_a_lease_that_is_over_is_taken_up(postbox: Postbox) -> None:
    """As a process leaves it that died with the mail in hand."""
    queue(1)
    now = timezone.now()
    Mail.objects.update(attempts=1, due_at=now + LEASE)
    call_command("deliver", "--once")
    assert postbox.received == []
    Mail.objects.update(due_at=now - timedelta(seconds=1))
    call_command("deliver", "--once")
    assert len(postbox.received) == 1
