"""`python -m benchmarks.growth_plans CREDENTIALS`: the plans of the statements that calls
send, each as PostgreSQL ran it (auto_explain), as JSON: call, then a list of texts.

The calls run here, through Django without the server around it. Each has run some times
before, so that what is prepared in service is prepared here, with its general plan.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

django.setup()

# After setup: models load with it.
from django.core.management import call_command
from django.db import connection
from django.test import Client

from benchmarks import people
from benchmarks.failures import RunFailed
from benchmarks.growth_purge import add_expired

# Prepared on the fifth, and planned for good by PostgreSQL on the fifth after that.
WARM_CALLS = 12
OK = 200
PURGED = 1500
EXPLAIN = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_timing = off",
    "SET auto_explain.log_min_duration = 0",
    # To whoever asked, and not only into the server's log.
    "SET auto_explain.log_level = notice",
)
PREFIX = "duration: "


class Asker:
    """Of a person who signed in."""

    def __init__(self, token: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> None:
        self._check(self.client.get(f"/api/v1/{path}", headers=self.headers, secure=True))

    def post(self, path: str, **body: str) -> Any:
        path, kind = f"/api/v1/{path}", "application/json"
        answer = self.client.post(path, body, content_type=kind, secure=True)
        self._check(answer)
        return answer.json()

    def _check(self, answer: Any) -> None:
        if answer.status_code != OK:
            raise RunFailed(f"{answer.status_code}: {answer.content[:300]!r}")


@dataclass(frozen=True, slots=True)
class Call:
    """`before` is run before each, and explained nowhere."""

    name: str
    make: Callable[[], object]
    before: Callable[[], object] = int


def calls(some: dict[str, Any]) -> Iterator[Call]:
    """What the bench measures, and then what else reads the large tables."""
    me, root, owner = (Asker(some[n]) for n in ("caller", "superuser", "owner"))
    chain = [some["chained"][0]]

    def rotate() -> None:
        answer = me.post("auth/refresh", refresh_token=chain[0])
        chain[0] = answer["refresh_token"]

    tenant = f"organizations/{some['organization']}"
    yield Call("me", lambda: me.get("users/me"))
    yield Call("refresh", rotate)
    yield Call("sessions", lambda: me.get("sessions/me"))
    yield Call("search", lambda: root.get(f"users?search={some['addresses'][0]}%40"))
    yield Call("common", lambda: root.get("users?search=lovelace"))
    yield Call("everybody", lambda: root.get("users?limit=20"))
    yield Call("members", lambda: owner.get(f"{tenant}/members?limit=20"))
    yield Call("purge", lambda: run("purge_sessions"), lambda: add_expired(PURGED))
    yield Call("sign-in", sign_in)
    yield Call("organizations", lambda: owner.get("organizations/me"))
    yield Call("organization", lambda: owner.get(tenant))
    yield Call("organization-events", lambda: owner.get(f"{tenant}/events"))
    yield Call("all-organizations", lambda: root.get("admin/organizations"))
    yield Call("all-events", lambda: root.get("admin/events"))
    yield Call(
        "events-of-action", lambda: root.get("admin/events?action=organization.created")
    )
    yield Call("all-sessions", lambda: root.get("admin/sessions"))
    yield Call("export", lambda: me.get("users/me/export"))
    yield Call("purge-accounts", lambda: run("purge_accounts"))


def sign_in() -> None:
    somebody = Asker("")
    somebody.post("auth/login", email=people.SUPERUSER, password=people.PASSWORD)


def run(command: str) -> None:
    with Path("/dev/null").open("w") as nowhere:
        call_command(command, stdout=nowhere)


def plans_of(call: Call, *, warm: int = WARM_CALLS) -> list[str]:
    """Of each statement the slowest."""
    for _ in range(warm):
        call.before()
        call.make()
    call.before()
    found: list[str] = []

    def hear(diagnostic: Any) -> None:
        text = diagnostic.message_primary or ""
        if text.startswith(PREFIX):
            found.append(text)

    with connection.cursor() as cursor:
        for statement in EXPLAIN:
            cursor.execute(statement)
        connection.connection.add_notice_handler(hear)
        try:
            call.make()
        finally:
            connection.connection.remove_notice_handler(hear)
            cursor.execute("SET auto_explain.log_min_duration = -1")
    found.sort(key=duration)
    by_statement = {text.partition("\n")[2].partition("\n")[0]: text for text in found}
    return list(by_statement.values())


def duration(text: str) -> float:
    return float(text.removeprefix(PREFIX).partition(" ms")[0])


def main() -> None:
    some = json.loads(Path(sys.argv[1]).read_text())
    found = {call.name: plans_of(call) for call in calls(some)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
