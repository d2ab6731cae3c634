"""The mail server is away or hangs: nobody waits for it, and nothing is lost (S8)."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from accounts import services
from accounts.models import User
from outbox.delivery import deliver_due
from outbox.models import Mail, Status
from tests import mailbox
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.outbox.letters import address, addresses, make_due, queue
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT_SECONDS = 0.5
NEW = "new@example.com"


@dataclass(frozen=True)
class Outage:
    postbox: Postbox
    fault: Fault | None

    def begin(self) -> None:
        if self.fault:
            self.postbox.fail(self.fault)
        else:
            self.postbox.stop()

    def end(self) -> None:
        if self.fault:
            self.postbox.recover()
        else:
            self.postbox.start()


@pytest.fixture(
    params=[None, Fault.HANGS_AFTER_GREETING, Fault.HANGS_IN_DATA, Fault.BREAKS_IN_DATA],
    ids=["refuses", "hangs", "hangs in data", "breaks off"],
)
def outage(request: pytest.FixtureRequest, postbox: Postbox) -> Outage:
    outage = Outage(postbox, request.param)
    outage.begin()
    return outage


@pytest.fixture(autouse=True)
def patient(settings: Settings) -> None:
    """Only a server that is asked in the request could make it wait so long."""
    settings.EMAIL_TIMEOUT = 2


def quickly(call: Callable[[], httpx.Response]) -> httpx.Response:
    start = time.monotonic()
    answer = call()
    assert time.monotonic() - start < LIMIT_SECONDS
    return answer


def test_whoever_asks_for_mail_does_not_wait_for_its_server(
    api: SignIn, outage: Outage, alice: User, settings: Settings
) -> None:
    body = {"email": NEW, "password": PASSWORD, "first_name": "New"}
    client = api()
    client.get("/users/me")  # what the first call of a process loads
    assert quickly(lambda: client.post("/auth/register", body)).status_code == 201
    asked = {"email": alice.email}
    answer = quickly(lambda: client.post("/auth/password-reset/request", asked))
    assert answer.status_code == 200
    usual = client.post("/auth/password-reset/request", {"email": "x@example.com"})
    assert answer.json() == usual.json()
    assert outage.postbox.conversations == 0
    assert set(Mail.objects.values_list("attempts", flat=True)) == {0}
    wanted = {("verify_email", NEW), ("password_reset", alice.email)}
    queued = {(m.kind.partition(".")[2], m.recipient) for m in mailbox.mails()}
    assert queued == wanted

    settings.EMAIL_TIMEOUT = 0.3
    for _ in range(2):
        assert deliver_due() == 0
        make_due()
    assert outage.postbox.received == []
    outage.end()
    assert deliver_due() == 2
    make_due()
    assert deliver_due() == 0
    assert outage.postbox.addresses == sorted([NEW, alice.email])


def test_after_an_outage_each_mail_of_finished_work_arrives_once(
    outage: Outage, settings: Settings
) -> None:
    settings.EMAIL_TIMEOUT = 0.1
    kept, undone = (UserFactory.create() for _ in range(2))
    for user in (kept, undone):
        with transaction.atomic():
            services.request_password_reset(email=user.email)
            transaction.set_rollback(user is undone)
    queue(5)
    assert deliver_due() == 0
    outage.end()
    make_due()
    assert deliver_due() == 6
    assert outage.postbox.addresses == sorted([kept.email, *addresses(5)])
    assert set(Mail.objects.values_list("status", flat=True)) == {Status.SENT}


def test_an_address_refused_for_now_holds_up_no_other_persons_reset(
    postbox: Postbox,
) -> None:
    people = [UserFactory.create(email=address(number)) for number in range(3)]
    for user in people:
        services.request_password_reset(email=user.email)
    postbox.answers = {people[1].email: "451 Greylisted"}
    assert deliver_due() == 2
    assert postbox.addresses == [people[0].email, people[2].email]
    postbox.answers = {}
    make_due()
    assert deliver_due() == 1
    assert postbox.addresses == sorted(user.email for user in people)
