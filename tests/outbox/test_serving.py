"""A server with a mail server beside it: what people ask for is in their hands soon."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from outbox.models import Mail, Status
from tests import servers
from tests.live_servers.calls import Answer, Call, ask, at_once, new_email, registration
from tests.outbox.conftest import Deliver
from tests.outbox.letters import make_due
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 2.0
LIMIT_SECONDS = 0.5

Serve = Callable[..., str]


@pytest.fixture
def serve(beside: dict[str, str], postbox: Postbox) -> Iterator[Serve]:
    """Starts a server; its URL. Each is ended behind the test."""
    with ExitStack() as stack:

        def start(**more: str) -> str:
            url = stack.enter_context(servers.server(beside | more))
            ask(url, "GET", "/users/me")  # what the first call loads
            return url

        yield start
        postbox.recover()


def quickly(url: str, path: str, body: object) -> Answer:
    start = time.monotonic()
    answer = ask(url, "POST", path, body)
    assert time.monotonic() - start < LIMIT_SECONDS
    return answer


def test_whoever_registers_has_a_mail_within_two_seconds(
    postbox: Postbox, serve: Serve
) -> None:
    url = serve()
    address = new_email()
    assert ask(url, "POST", "/auth/register", registration(address)).status == 201
    postbox.wait_for(1, SOON)
    (received,) = postbox.received
    assert received.recipients == [address]
    link = received.part("plain").partition("#token=")[2].split()[0]
    verified = ask(url, "POST", "/auth/email/verify", {"token": link})
    assert verified.status == 200


def test_two_servers_that_deliver_send_each_mail_once(
    postbox: Postbox, serve: Serve, deliver: Deliver
) -> None:
    """And a worker beside them."""
    urls = [serve(), serve()]
    deliver()
    people = [new_email() for _ in range(12)]
    calls = [
        Call(urls[number % 2], "POST", "/auth/register", registration(address))
        for number, address in enumerate(people)
    ]
    assert {answer.status for answer in at_once(calls)} == {201}
    postbox.wait_for(12, 20)
    make_due()
    time.sleep(3)
    assert postbox.addresses == sorted(people)


def test_where_a_worker_delivers_the_server_does_not(
    postbox: Postbox, serve: Serve, deliver: Deliver
) -> None:
    url = serve(MAIL_DELIVERY="worker")
    address = new_email()
    assert ask(url, "POST", "/auth/register", registration(address)).status == 201
    time.sleep(SOON)
    assert postbox.conversations == 0
    assert Mail.objects.get().attempts == 0
    deliver()
    postbox.wait_for(1, 30)
    assert postbox.addresses == [address]


@pytest.mark.parametrize("fault", [None, Fault.HANGS_AFTER_GREETING, Fault.HANGS_IN_DATA])
def test_an_outage_is_felt_by_nobody_and_made_good_afterwards(
    postbox: Postbox, serve: Serve, fault: Fault | None
) -> None:
    url = serve()
    if fault:
        postbox.fail(fault)
    else:
        postbox.stop()
    people = [new_email() for _ in range(4)]
    for address in people:
        answer = quickly(url, "/auth/register", registration(address))
        assert answer.status == 201
        asked = quickly(url, "/auth/password-reset/request", {"email": address})
        assert asked.status == 200
    if fault:
        postbox.wait_for_hanging()
    else:
        wait_until_each_has_failed()
    assert postbox.received == []
    assert Mail.objects.filter(status=Status.WAITING).count() == 8
    if fault:
        postbox.recover()
    else:
        postbox.start()
        make_due()
    postbox.wait_for(8, 20)
    time.sleep(0.5)
    assert postbox.addresses == sorted(people * 2)
    subjects = {(r.recipients[0], str(r.message["Subject"])) for r in postbox.received}
    assert len(subjects) == 8


def wait_until_each_has_failed() -> None:
    end = time.monotonic() + 20
    while Mail.objects.filter(last_error="").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_that_is_stopped_while_mail_hangs_ends_in_time_and_loses_nothing(
    postbox: Postbox, serve: Serve, beside: dict[str, str]
) -> None:
    postbox.fail(Fault.HANGS_AFTER_GREETING)
    with servers.running(beside) as (process, url):
        address = new_email()
        assert ask(url, "POST", "/auth/register", registration(address)).status == 201
        postbox.wait_for_hanging()
        start = time.monotonic()
        process.terminate()
        process.wait(servers.STOP_SECONDS)
        assert time.monotonic() - start < 10
    assert postbox.received == []
    postbox.recover()
    make_due()
    serve()
    postbox.wait_for(1, 10)
    assert postbox.addresses == [address]
