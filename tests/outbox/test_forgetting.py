"""What was sent or given up is forgotten after a while; what waits is not."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from outbox import services
from outbox.delivery import deliver_due
from outbox.models import Mail, Status
from outbox.services import drop_mails_of, purge_mails
from tests.outbox.letters import at_once, letter, mail_to, queue
from tests.outbox.postbox import Postbox


def ended(recipient: str, status: Status, ago: timedelta) -> Mail:
    mail = letter(recipient)
    mail.status, mail.ended_at = status, timezone.now() - ago
    mail.save()
    return mail


def recipients() -> list[str]:
    return sorted(Mail.objects.values_list("recipient", flat=True))


@pytest.mark.django_db
def test_what_ended_long_ago_is_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    kept = configured.MAILS_KEPT
    moment = timedelta(minutes=1)
    for status in (Status.SENT, Status.DEAD):
        ended(f"old-{status}@example.com", status, kept + moment)
        ended(f"young-{status}@example.com", status, kept - moment)
    call_command("purge_mails")
    assert capsys.readouterr().out == "Deleted 2 mails.\n"
    assert recipients() == ["young-dead@example.com", "young-sent@example.com"]
    call_command("purge_mails")
    assert capsys.readouterr().out == "Deleted 0 mails.\n"


@pytest.mark.django_db
def test_what_waits_is_never_purged_however_old(settings: Settings) -> None:
    queue(1)
    long_ago = timezone.now() - 100 * configured.MAILS_KEPT
    Mail.objects.update(created_at=long_ago, due_at=long_ago)
    settings.MAILS_KEPT = timedelta(days=1)
    assert purge_mails() == 0
    assert deliver_due() == 1


@pytest.mark.django_db
def test_a_mail_of_long_ago_that_was_sent_just_now_is_kept() -> None:
    queue(1)
    Mail.objects.update(created_at=timezone.now() - 2 * configured.MAILS_KEPT)
    assert deliver_due() == 1
    assert purge_mails() == 0


@pytest.mark.django_db
def test_more_than_a_batch_is_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PURGE_BATCH", 3)
    for number in range(10):
        ended(f"p{number}@example.com", Status.SENT, configured.MAILS_KEPT)
    assert purge_mails() == 10
    assert recipients() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_purge_at_once_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PURGE_BATCH", 5)
    for number in range(40):
        ended(f"p{number}@example.com", Status.SENT, configured.MAILS_KEPT)
    ended("young@example.com", Status.SENT, timedelta(0))
    queue(1)
    deleted = at_once([purge_mails] * 4)
    assert sum(deleted) == 40
    assert recipients() == ["person00@example.com", "young@example.com"]


@pytest.mark.django_db
def test_a_persons_mails_are_dropped_and_nobody_elses(alice: User, bob: User) -> None:
    for status in Status.values:
        for person in (alice, bob):
            mail = letter(f"{status}-{person.email}", person_id=person.pk)
            mail.status = status
            mail.ended_at = None if status == Status.WAITING else timezone.now()
            mail.save()
    letter("nobody@example.com").save()
    assert drop_mails_of(person_id=alice.pk) == 3
    assert len(recipients()) == 4
    assert not any("alice" in recipient for recipient in recipients())
    assert drop_mails_of(person_id=alice.pk) == 0
    assert deliver_due() == 2


@pytest.mark.django_db
def test_a_mail_dropped_while_it_is_leaving_does_not_come_back(
    postbox: Postbox, alice: User
) -> None:
    """The row goes after it was taken: its outcome is written nowhere."""
    letter("alice@example.com", person_id=alice.pk).save()

    def dropping() -> bool:
        # Asked before each mail: by then the next one is a candidate already.
        drop_mails_of(person_id=alice.pk)
        return True

    letter("bob@example.com").save()
    assert deliver_due(wanted=dropping) == 1
    assert postbox.addresses == ["bob@example.com"]
    assert recipients() == ["bob@example.com"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"status": "sent", "ended_at": None},
        {"status": "dead", "ended_at": None},
        {"status": "waiting", "ended_at": timezone.now()},
        {"status": "lost", "ended_at": None},
    ],
)
def test_the_database_holds_a_mail_to_its_states(changes: dict[str, Any]) -> None:
    queue(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Mail.objects.update(**changes)
    assert mail_to("person00@example.com").status == Status.WAITING
