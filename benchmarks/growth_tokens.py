"""`python -m benchmarks.growth_tokens NUMBER PEOPLE`: what the calls need of so many of
the seeded people, drawn at random. JSON, as `Credentials` reads it.

Tokens are made for sessions that lie anywhere in the table, as a service's callers do: to
sign in would put all of them on its last pages.
"""

import json
import random
import secrets
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

# After setup: models load with it.
from django.utils import timezone

from accounts.models import User
from benchmarks import people
from config.demo import names
from organizations.models import Membership, Organization
from sessions_app import tokens
from sessions_app.models import Session
from sessions_app.services import start_session

# So many sessions has each whose list is read; there are such in a database of any size.
LISTED = 5
# The fifth organization has a fifth of the largest's members: a thousand, in both.
LARGE = 4
# None of the sessions may run out before the run does.
RUN = timedelta(hours=1)
# How many people are looked at for each that is wanted.
LOOKED_AT = 8


def main() -> None:
    number, everybody = int(sys.argv[1]), int(sys.argv[2])
    drawn = random.sample(range(everybody), min(everybody, number * LOOKED_AT))
    sessions = _active_of(drawn)
    singles = [some[0] for some in sessions][:number]
    lists = [some[0] for some in sessions if len(some) == LISTED][:number]
    chained = [some[-1] for some in sessions if len(some) > 1][:number]
    root = User.objects.get(email=people.SUPERUSER)
    slug, owner = _large_organization()
    found = {
        "single": [_access(session) for session in singles],
        "listed": [_access(session) for session in lists],
        "chained": [_refresh(session) for session in chained],
        "superuser": start_session(user=root).access_token,
        "owner": start_session(user=owner).access_token,
        "organization": slug,
        "addresses": [names.address(index).partition("@")[0] for index in drawn[:number]],
    }
    sys.stdout.write(json.dumps(found))


def _active_of(drawn: list[int]) -> list[list[Session]]:
    """Of each person, of those who have any, in no order."""
    addresses = [names.address(number) for number in drawn]
    lasting = Session.objects.active(timezone.now() + RUN)
    found: dict[Any, list[Session]] = {}
    for session in lasting.filter(user__email_key__in=addresses):
        found.setdefault(session.user_id, []).append(session)
    shuffled = list(found.values())
    random.shuffle(shuffled)
    return shuffled


def _access(session: Session) -> str:
    return tokens.access_token(
        user_id=session.user_id,
        session_id=session.pk,
        jti=secrets.token_urlsafe(16),
        now=timezone.now(),
    )


def _refresh(session: Session) -> str:
    """As if it had been handed out at the last rotation."""
    jti = secrets.token_urlsafe(24)
    mine = Session.objects.filter(pk=session.pk)
    mine.update(refresh_digest=tokens.digest(jti), previous_digest="")
    return tokens.refresh_token(
        user_id=session.user_id,
        session_id=session.pk,
        jti=jti,
        issued=timezone.now(),
        expires=session.expires_at,
        key=tokens.keyring().signing,
    )


def _large_organization() -> tuple[str, User]:
    """With an owner of it."""
    demo = Organization.objects.filter(slug__contains="-demo-").count()
    _, slug = names.tenant(min(demo - 1, LARGE))
    owners = Membership.objects.owning().filter(organization__slug=slug)
    return slug, owners.select_related("user")[0].user


if __name__ == "__main__":
    main()
