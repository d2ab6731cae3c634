"""Calls that wait for a lock in a chosen order."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from select import select
from typing import Any

import psycopg
import pytest

from tests import servers
from tests.live_servers.calls import Answer, Call, answer_on, sent
from tests.live_servers.conftest import Service

SETTLE_SECONDS = 0.2
QUEUE_SECONDS = 20


@contextmanager
def held(service: Service, lock: str, *values: str) -> Iterator[None]:
    """What this statement locks stays locked; SQLite has one lock, for all that write."""
    connection = connect(service)
    try:
        if service.database.startswith("sqlite"):
            connection.execute("BEGIN IMMEDIATE")
        else:
            connection.execute("BEGIN")
            connection.execute(lock.replace("?", "%s"), values)
        yield
        connection.execute("COMMIT")
    finally:
        connection.close()


A_PERSON = "SELECT 1 FROM accounts_user WHERE id = ? FOR NO KEY UPDATE"
AN_INVITATION = "SELECT 1 FROM organizations_invitation WHERE id = ? FOR UPDATE"
A_MEMBERSHIP = "SELECT 1 FROM organizations_membership WHERE user_id = ? FOR UPDATE"
AN_EVENT_ABOUT = "SELECT 1 FROM audit_event WHERE target_id = ? FOR UPDATE"
AN_ORGANIZATION = (
    "SELECT 1 FROM organizations_organization WHERE id = ? FOR NO KEY UPDATE"
)
SESSIONS_OF_A_PERSON = "SELECT 1 FROM sessions_app_session WHERE user_id = ? FOR UPDATE"


@contextmanager
def queued(
    service: Service, calls: Sequence[Call], *, behind: int = 0
) -> Iterator[list[HTTPConnection]]:
    """Sent one after the other, each as soon as those before it are answered or wait for
    a lock; `behind` so many who wait already.
    """
    with ExitStack() as stack:
        lines: list[HTTPConnection] = []
        for call in calls:
            lines += stack.enter_context(sent([call]))
            wait_for_queue(service, behind + len(lines), lines)
        yield lines


def queued_behind(
    service: Service, calls: Sequence[Call], lock: str, *values: str
) -> list[Answer]:
    """The answers, once the lock was let go."""
    with ExitStack() as stack:
        with held(service, lock, *values):
            lines = stack.enter_context(queued(service, calls))
        return [answer_on(line) for line in lines]


def wait_for_queue(
    service: Service, number: int, lines: Sequence[HTTPConnection] = ()
) -> None:
    """Until so many wait, but for those that are answered. SQLite does not tell who
    waits, nor lets them in by turns.
    """
    if service.database.startswith("sqlite"):
        time.sleep(SETTLE_SECONDS)
        return
    end = time.monotonic() + QUEUE_SECONDS
    while service.number(WAITING) + answered(lines) < number:
        if time.monotonic() > end:
            raise TimeoutError(number)
        time.sleep(0.01)


def answered(lines: Sequence[HTTPConnection]) -> int:
    readable, _, _ = select([line.sock for line in lines], [], [], 0)
    return len(readable)


def take_turns(service: Service) -> None:
    """For tests of an order that only PostgreSQL keeps."""
    if service.database.startswith("sqlite"):
        pytest.skip("SQLite lets in one writer at a time, and any of them")


def manage(service: Service, *arguments: str) -> str:
    """In a process of its own, which counts in the queue as the servers do."""
    environment = servers.environment(service.database, PGAPPNAME="both")
    return servers.manage(*arguments, environment=environment)


# In this database: tests that run beside this one have servers of the same name.
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database()
    AND application_name = 'both' AND wait_event_type = 'Lock'
"""


def connect(service: Service) -> Any:
    """One of one's own, without transactions unless they are begun."""
    if service.database.startswith("sqlite"):
        path = service.database.removeprefix("sqlite:///")
        return sqlite3.connect(path, timeout=30, isolation_level=None)
    return psycopg.connect(service.database, autocommit=True)
