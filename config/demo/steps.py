"""The steps of a run. Each part of one is a transaction of its own, after which the data
are right: a run that was broken off has made less, and the next one goes on behind it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import models, transaction

from accounts.models import User
from audit.models import Event
from config.demo import events, people, sessions, tenants
from config.demo.plan import Plan, spans
from config.demo.tables import Table, analyze
from organizations.models import Membership, Organization
from sessions_app.models import Session

# What one transaction makes: a few seconds' work, which SQLite makes others wait for.
PEOPLE, SESSIONS, TENANTS = 10_000, 20_000, 500
FILLED: tuple[type[models.Model], ...] = (
    User,
    Session,
    Organization,
    Membership,
    Event,
)

Part = Callable[[Plan, range], Table]


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    size: int
    parts: tuple[Part, ...]

    def run(self, plan: Plan) -> dict[type[models.Model], int]:
        """How many rows of each it wrote."""
        written: dict[type[models.Model], int] = {}
        for span in spans(self.number, self.size):
            with transaction.atomic():
                for part in self.parts:
                    table = part(plan, span)
                    written[table.model] = written.get(table.model, 0) + table.write()
        return written


def steps(plan: Plan) -> Iterator[Step]:
    yield Step(plan.users, PEOPLE, (people.people, events.registrations))
    yield Step(
        plan.organizations,
        TENANTS,
        (tenants.organizations, tenants.memberships, events.foundings),
    )
    yield Step(plan.sessions, SESSIONS, (sessions.sessions,))


def finish() -> None:
    analyze(FILLED)
