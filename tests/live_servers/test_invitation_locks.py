"""Orders of events in which a purge, or a registration, is in the way of another
(checks 246, 262).
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256

from tests.live_servers.calls import PASSWORD, Call, answer_on, new_email, registration
from tests.live_servers.conftest import Service
from tests.live_servers.queues import (
    AN_EVENT_ABOUT,
    AN_INVITATION,
    AN_ORGANIZATION,
    SETTLE_SECONDS,
    held,
    manage,
    queued,
    queued_behind,
    take_turns,
    wait_for_queue,
)
from tests.live_servers.tenants import CLEAN, arrive, found, invite


def test_a_purge_spares_what_is_sent_again_meanwhile(service: Service) -> None:
    take_turns(service)
    [ada] = arrive(service, 1)
    organization = found(service, ada)
    first, second = (invite(service, ada, organization, new_email())[0] for _ in "ab")
    service.sql(RAN_OUT, organization)
    with ThreadPoolExecutor(1) as pool:
        with held(service, AN_INVITATION, first):
            # It has read which ones it deletes.
            purge = pool.submit(manage, service, "purge_invitations")
            wait_for_queue(service, 1)
            path = f"/organizations/{organization}/invitations/{second}/resend"
            assert ada.ask(service.b, "POST", path).status == 200
        assert purge.result().startswith("Deleted")
    left = "SELECT id FROM organizations_invitation WHERE organization_id = ?"
    assert [str(row) for (row,) in service.sql(left, organization)] == [second]


def test_a_purge_goes_on_while_an_organization_is_deleted(service: Service) -> None:
    take_turns(service)
    ada, bob = arrive(service, 2)
    old, older = found(service, ada), found(service, bob)
    first, _ = invite(service, bob, older, new_email())
    second, _ = invite(service, ada, old, new_email())
    for organization in (old, older):
        service.sql(RAN_OUT, organization)
    delete = ada.call(service.a, "DELETE", f"/organizations/{old}")
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        with held(service, AN_EVENT_ABOUT, second):
            with held(service, AN_INVITATION, first):
                purge = pool.submit(manage, service, "purge_invitations")
                wait_for_queue(service, 1)
                [line] = stack.enter_context(queued(service, [delete], behind=1))
            # Until the purge has what it finds next.
            time.sleep(SETTLE_SECONDS)
        assert answer_on(line).status == 200
        assert purge.result().startswith("Deleted")


RAN_OUT = """
    UPDATE organizations_invitation SET expires_at = '2020-01-01'
    WHERE organization_id = ?
"""


def test_the_invited_register_while_a_member_moves_to_their_address(
    service: Service,
) -> None:
    take_turns(service)
    ada, bob = arrive(service, 2)
    organization, email = found(service, ada, bob), new_email()
    _, token = invite(service, ada, organization, email)
    body = {"new_email": email, "current_password": PASSWORD}
    assert bob.ask(service.a, "POST", "/users/me/email", body).status == 200
    service.sql(ITS_TOKEN, sha256(token.encode()).hexdigest(), bob.id)
    form = registration(email) | {"invitation_token": token}
    calls = [
        ada.call(service.b, "POST", f"/organizations/{organization}/leave"),
        Call(service.a, "POST", "/auth/register", form),
        Call(service.b, "POST", "/auth/email/confirm", {"token": token}),
    ]
    answers = queued_behind(service, calls, AN_ORGANIZATION, organization)
    assert {answer.status for answer in answers} <= CLEAN


ITS_TOKEN = """
    UPDATE accounts_proof SET token_digest = ? WHERE purpose = 'address' AND user_id = ?
"""
