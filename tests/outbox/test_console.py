"""The room of the console where mails are seen, and those given up sent again."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as locmem
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from outbox.delivery import MAXIMUM_ATTEMPTS, deliver_due
from outbox.models import Mail, Status
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.outbox.letters import CODE, LINK, address, anew, letter, queue

pytestmark = pytest.mark.django_db

ROOM = "/admin/outbox/mail/"
REFUSAL = "Only mails that were given up, and are still of use, can be sent again."


@pytest.fixture
def console(console: Browser) -> Browser:
    Mail.objects.all().delete()  # of that sign-in
    return console


def given_up(number: int = 1, **changes: Any) -> list[Mail]:
    mails = queue(number, **changes)
    Mail.objects.filter(pk__in=[mail.pk for mail in mails]).update(
        status=Status.DEAD,
        ended_at=timezone.now(),
        attempts=MAXIMUM_ATTEMPTS,
        last_error="ConnectionRefusedError",
    )
    return [anew(mail) for mail in mails]


def send_again(console: Browser, *mails: Mail) -> str:
    """What the page says then."""
    chosen = [str(mail.pk) for mail in mails]
    form = {"action": "send_again", "_selected_action": chosen, **CONFIRMED}
    assert console.post(ROOM, form).status_code == 302
    return console.get(ROOM).text


def sent_again() -> list[Event]:
    return list(Event.objects.filter(action="mail.sent_again"))


def test_a_superuser_sees_what_became_of_a_mail(console: Browser) -> None:
    (mail,) = given_up()
    for path in (ROOM, f"{ROOM}{mail.pk}/change/"):
        page = console.get(path)
        assert page.status_code == 200
        for shown in (mail.kind, mail.recipient, mail.last_error):
            assert shown in page.text


def test_nobody_sees_what_a_mail_says(console: Browser) -> None:
    (mail,) = given_up(name="Wilhelmina")
    for path in (ROOM, f"{ROOM}{mail.pk}/change/"):
        text = console.get(path).text
        assert mail.recipient in text
        for secret in (mail.sealed, mail.sealed[:24], LINK, CODE, "Wilhelmina"):
            assert secret not in text


@pytest.mark.parametrize("lookup", ["sealed", "sealed__startswith", "person_id"])
def test_a_seal_is_not_filtered_by(console: Browser, lookup: str) -> None:
    given_up()
    assert console.get(f"{ROOM}?{lookup}=g").status_code in {302, 400}


def test_a_mail_is_found_by_its_whole_address(console: Browser) -> None:
    given_up(2)
    found = console.get(f"{ROOM}?q={address(0)}").text
    assert address(0) in found
    assert address(1) not in found
    assert address(1) not in console.get(f"{ROOM}?q=gAAAA").text


def test_what_a_mail_is_called_is_text(console: Browser) -> None:
    (mail,) = given_up()
    Mail.objects.update(recipient="<b>x@example.com", last_error="<script>alert(1)")
    for path in (ROOM, f"{ROOM}{mail.pk}/change/"):
        text = console.get(path).text
        assert "<b>x" not in text
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("path", ["", "add/", "{pk}/change/", "{pk}/delete/"])
@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize(("staff", "status"), [(False, 302), (True, 403)])
def test_the_room_is_seen_by_staff_and_acted_in_by_superusers(
    api: SignIn, alice: User, path: str, verb: str, staff: bool, status: int
) -> None:
    (mail,) = given_up()
    User.objects.filter(pk=alice.pk).update(is_staff=staff)
    browser = Browser(api())
    browser.sign_in(alice.email)
    place = ROOM + path.format(pk=mail.pk)
    form = {"action": "send_again", "_selected_action": str(mail.pk)}
    answer = browser.get(place) if verb == "GET" else browser.post(place, form)
    seen = staff and verb == "GET" and path in {"", "{pk}/change/"}
    assert answer.status_code == (200 if seen else status)
    assert (mail.recipient in answer.text) is seen
    assert anew(mail).status == Status.DEAD


def test_the_room_is_not_for_strangers(api: SignIn) -> None:
    assert Browser(api()).get(ROOM).status_code == 302


def test_a_mail_is_neither_made_nor_changed_nor_deleted_by_hand(
    console: Browser,
) -> None:
    (mail,) = given_up()
    before = Mail.objects.values().get()
    page = console.get(f"{ROOM}{mail.pk}/change/").text
    assert 'name="_save"' not in page
    form = {"kind": "x", "recipient": "y@evil.test", "status": "waiting"}
    assert console.post(f"{ROOM}add/", form).status_code == 403
    assert console.post(f"{ROOM}{mail.pk}/change/", form).status_code == 403
    assert console.post(f"{ROOM}{mail.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": str(mail.pk)}
    console.post(ROOM, {**chosen, "post": "yes"})
    assert Mail.objects.values().get() == before


def test_those_given_up_are_sent_again(console: Browser, root: User) -> None:
    mails = given_up(3)
    assert "2 mails will be sent again." in send_again(console, *mails[:2])
    for mail in map(anew, mails[:2]):
        assert (mail.status, mail.attempts, mail.ended_at) == (Status.WAITING, 0, None)
    assert anew(mails[2]).status == Status.DEAD
    assert deliver_due() == 2
    assert sorted(m.to[0] for m in locmem.outbox) == [address(0), address(1)]
    events = sent_again()
    assert {event.target_id for event in events} == {mail.pk for mail in mails[:2]}
    assert {event.actor_id for event in events} == {root.pk}
    assert {event.target_label for event in events} == {mails[0].kind}
    assert not any("example.com" in str(event.data) for event in events)


def test_a_mail_sent_again_has_all_its_attempts(console: Browser) -> None:
    (mail,) = given_up()
    Mail.objects.update(kind="accounts.no_such_template")
    send_again(console, mail)
    assert deliver_due() == 0
    assert (anew(mail).status, anew(mail).attempts) == (Status.WAITING, 1)


@pytest.mark.parametrize("status", [Status.WAITING, Status.SENT])
def test_a_mail_that_was_not_given_up_is_not_sent_again(
    console: Browser, status: Status
) -> None:
    (mail,) = queue()
    if status == Status.SENT:
        assert deliver_due() == 1
    before = Mail.objects.values().get()
    assert REFUSAL in send_again(console, mail)
    assert Mail.objects.values().get() == before
    assert sent_again() == []


def test_a_mail_that_is_of_no_use_any_more_is_not_sent_again(console: Browser) -> None:
    (mail,) = given_up(expires_at=timezone.now() - timedelta(seconds=1))
    assert REFUSAL in send_again(console, mail)
    assert anew(mail).status == Status.DEAD
    assert sent_again() == []


def test_a_mail_that_says_nothing_any_more_is_not_sent_again(console: Browser) -> None:
    (mail,) = given_up()
    Mail.objects.update(sealed="")
    assert REFUSAL in send_again(console, mail)
    assert anew(mail).status == Status.DEAD


def test_of_several_only_those_given_up_are_sent_again(console: Browser) -> None:
    (dead,) = given_up()
    waiting = letter("waiting@example.com")
    waiting.save()
    assert "1 mails will be sent again." in send_again(console, dead, waiting)
    assert [event.target_id for event in sent_again()] == [dead.pk]
    assert REFUSAL in send_again(console, dead, waiting)
    assert len(sent_again()) == 1


def test_the_list_costs_as_much_for_fifty_as_for_one(console: Browser) -> None:
    counts = []
    for number in (1, 49):
        given_up(number)
        with CaptureQueriesContext(connection) as queries:
            assert console.get(ROOM).status_code == 200
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("pk", ["abc", "00000000-0000-0000-0000-000000000000", "_00"])
def test_a_mail_that_is_not_there_is_no_fault(console: Browser, pk: str) -> None:
    assert console.get(f"{ROOM}{pk}/change/").status_code in {302, 404}
