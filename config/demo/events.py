"""What the audit trail tells of demo people and organizations: that they came to be."""

from collections.abc import Iterator

from accounts.models import User
from audit.models import Event, Outcome
from config.demo import names, tenants
from config.demo.plan import Plan
from config.demo.tables import Row, Table
from organizations.models import Organization

COLUMNS = (
    "id",
    "at",
    "action",
    "outcome",
    "actor_id",
    "actor_label",
    "organization_id",
    "target_type",
    "target_id",
    "target_label",
    "agent",
    "request_id",
    "data",
)

# Neither agent nor request, and nothing more to tell.
NOWHERE: Row = ("", "", {})


def registrations(plan: Plan, span: range) -> Table:
    return Table(Event, COLUMNS, _registrations(plan, span))


def foundings(plan: Plan, span: range) -> Table:
    return Table(Event, COLUMNS, _foundings(plan, span))


def _registrations(plan: Plan, span: range) -> Iterator[Row]:
    kind = User._meta.model_name
    for index in span:
        at, person = plan.joined(index), plan.person_id(index)
        address = names.address(plan.first_user + index)
        what = (plan.identifier(at, index), at, "user.registered", Outcome.SUCCESS.value)
        yield (*what, person, address, None, kind, person, address, *NOWHERE)


def _foundings(plan: Plan, span: range) -> Iterator[Row]:
    kind = Organization._meta.model_name
    for index in span:
        at, tenant = tenants.founded(plan, index), tenants.tenant_id(plan, index)
        founder = tenants.founder(plan, index)
        address = names.address(plan.first_user + founder)
        _, slug = names.tenant(plan.first_organization + index)
        # Registrations have the indexes below.
        event = plan.identifier(at, plan.users + index)
        what = (event, at, "organization.created", Outcome.SUCCESS.value)
        person = plan.person_id(founder)
        yield (*what, person, address, tenant, kind, tenant, slug, *NOWHERE)
