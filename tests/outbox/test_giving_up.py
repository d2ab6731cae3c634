"""How long a mail is tried, and when it is given up without being sent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from outbox.delivery import FIRST_PAUSE, LONGEST_PAUSE, MAXIMUM_ATTEMPTS, deliver_due
from outbox.models import Mail, Status
from tests.outbox.letters import anew, letter, mail_to, make_due, queue
from tests.outbox.postbox import Postbox

pytestmark = pytest.mark.django_db


def pauses() -> list[timedelta]:
    """How long each waiting mail still waits."""
    now = timezone.now()
    return [m.due_at - now for m in Mail.objects.filter(status=Status.WAITING)]


def test_each_pause_is_longer_and_the_last_attempt_gives_up(postbox: Postbox) -> None:
    mails = queue(8)
    postbox.stop()
    for attempt in range(1, MAXIMUM_ATTEMPTS):
        make_due()
        assert deliver_due() == 0
        whole = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
        found = pauses()
        assert len(found) == len(mails)
        assert all(whole * 0.49 < pause <= whole for pause in found)
        # Not all at once: the mails of an outage come back spread out.
        assert max(found) - min(found) > whole * 0.02
    make_due()
    assert deliver_due() == 0
    for mail in map(anew, mails):
        assert (mail.status, mail.attempts) == (Status.DEAD, MAXIMUM_ATTEMPTS)
        assert mail.last_error == "ConnectionRefusedError"
    postbox.start()
    make_due()
    assert deliver_due() == 0
    assert postbox.received == []


def test_a_mail_that_has_run_out_is_not_sent(postbox: Postbox) -> None:
    now = timezone.now()
    letter("late@example.com", expires_at=now - timedelta(seconds=1)).save()
    letter("early@example.com", expires_at=now + timedelta(minutes=1)).save()
    assert deliver_due() == 1
    assert postbox.addresses == ["early@example.com"]
    late = mail_to("late@example.com")
    assert (late.status, late.last_error) == (
        Status.DEAD,
        "Expired before it could be sent.",
    )


def test_a_mail_that_runs_out_while_the_server_is_away_is_not_sent(
    postbox: Postbox,
) -> None:
    queue(expires_at=timezone.now() + timedelta(minutes=1))
    postbox.stop()
    assert deliver_due() == 0
    postbox.start()
    Mail.objects.update(expires_at=timezone.now())
    make_due()
    assert deliver_due() == 0
    assert postbox.received == []
    assert Mail.objects.get().status == Status.DEAD


def test_a_mail_that_everyone_who_took_it_died_of_is_given_up(postbox: Postbox) -> None:
    """As they leave it: taken each time, with no outcome written."""
    (mail,) = queue()
    Mail.objects.update(attempts=MAXIMUM_ATTEMPTS - 1)
    assert deliver_due() == 1
    (deadly,) = queue()
    Mail.objects.filter(pk=deadly.pk).update(attempts=MAXIMUM_ATTEMPTS)
    assert deliver_due() == 0
    assert anew(mail).status == Status.SENT
    assert anew(deadly).status == Status.DEAD
    assert anew(deadly).last_error
    assert len(postbox.received) == 1
