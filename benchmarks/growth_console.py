"""`python -m benchmarks.growth_console CREDENTIALS`: how long each page of the console
takes and the plans of its statements, as JSON: page, then milliseconds and texts.

The pages are made here, through Django without the server around it, which would add
less than a millisecond to each.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import django

django.setup()

# After setup: models load with it.
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from benchmarks import people
from benchmarks.failures import RunFailed
from benchmarks.growth_plans import OK, Call, plans_of
from organizations.models import Organization
from sessions_app.models import Session

TIMED = 15


@dataclass(frozen=True, slots=True)
class Page:
    """`median` and `slowest` in milliseconds."""

    median: float
    slowest: float
    plans: list[str]


def pages(some: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A name and the rest of the address: each room, and each filter and search of it."""
    # Of the seed: what began from this shell has no address.
    session = Session.objects.exclude(ip_address=None).latest("pk")
    person, address = session.user_id, some["addresses"][0]
    tenant = Organization.objects.get(slug=some["organization"])
    yield "first-page", ""
    users = "accounts/user/"
    yield "people", users
    yield "people-twentieth-page", f"{users}?p=20"
    yield "people-oldest", f"{users}?o=6"
    yield "people-inactive", f"{users}?is_active__exact=0"
    yield "people-staff", f"{users}?is_staff__exact=1"
    yield "people-superusers", f"{users}?is_superuser__exact=1"
    yield "people-search-one", f"{users}?q={address}"
    yield "people-search-common", f"{users}?q=lovelace"
    yield "people-search-nobody", f"{users}?q=nobody-is-called-so"
    yield "person", f"{users}{person}/change/"
    sessions = "sessions_app/session/"
    yield "sessions", sessions
    yield "sessions-active", f"{sessions}?ended=no"
    yield "sessions-ended", f"{sessions}?ended=yes"
    yield "sessions-stolen", f"{sessions}?end_reason__exact=reuse"
    yield "sessions-of-person", f"{sessions}?q={person}"
    yield "sessions-of-address", f"{sessions}?q={session.ip_address}"
    yield "session", f"{sessions}{session.pk}/change/"
    tenants = "organizations/organization/"
    yield "organizations", tenants
    yield "organizations-inactive", f"{tenants}?is_active__exact=0"
    yield "organizations-search", f"{tenants}?q={tenant.slug}"
    yield "organization-console", f"{tenants}{tenant.pk}/change/"
    members = "organizations/membership/"
    yield "memberships", members
    yield "memberships-owners", f"{members}?role__exact=owner"
    yield "memberships-inactive", f"{members}?is_active__exact=0"
    yield "memberships-of-organization", f"{members}?q={tenant.pk}"
    yield "invitations", "organizations/invitation/"
    events = "audit/event/"
    yield "events", events
    yield "events-failures", f"{events}?outcome__exact=failure"
    yield "events-of-person", f"{events}?q={person}"
    yield "events-of-one-action", f"{events}?q=organization.created"
    yield "mails", "outbox/mail/"
    yield "mails-dead", "outbox/mail/?status__exact=dead"


def main() -> None:
    some = json.loads(Path(sys.argv[1]).read_text())
    # Their names in production are those of their contents.
    call_command("collectstatic", "--no-input", verbosity=0)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(email=people.SUPERUSER))
    found = {
        f"console-{name}": asdict(_measure(client, f"/{settings.ADMIN_PATH}{path}"))
        for name, path in pages(some)
    }
    sys.stdout.write(json.dumps(found))


def _measure(client: Client, path: str) -> Page:
    ask = partial(_ask, client, path)
    ask()
    times = sorted(_timed(ask) for _ in range(TIMED))
    return Page(median(times), times[-1], plans_of(Call(path, ask), warm=0))


def _timed(ask: Any) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def _ask(client: Client, path: str) -> None:
    answer = client.get(path, secure=True)
    if answer.status_code != OK:
        raise RunFailed(f"{path}: {answer.status_code} {answer.content[:300]!r}")


if __name__ == "__main__":
    main()
