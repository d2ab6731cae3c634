"""What stands on the page of a person below the form: of every app, a statement each."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Model
from django.urls import reverse

from accounts.models import User
from audit.models import Event
from organizations.models import Membership
from sessions_app.models import Session

# The latest of each; a link leads to all of them.
SHOWN = 20
WHEN = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Row:
    """`link` is behind the first cell."""

    link: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Panel:
    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    everything: str


def panels_of(person: User, viewer: User) -> list[Panel]:
    return [_sessions(person), _memberships(person, viewer), _events(person, viewer)]


def _sessions(person: User) -> Panel:
    latest = Session.objects.filter(user=person).order_by("-pk")[:SHOWN]
    columns = ("Device", "Address", "Begun", "Last used", "State")
    rows = [
        Row(_page(one), [str(one), one.ip_address or "", *_times(one), one.state])
        for one in latest
    ]
    return Panel("Sessions", columns, rows, _list(Session, person))


def _times(session: Session) -> list[str]:
    return [f"{at:{WHEN}}" for at in (session.created_at, session.last_used_at)]


def _memberships(person: User, viewer: User) -> Panel:
    """The room of memberships is for superusers."""
    own = Membership.objects.filter(user=person).select_related("organization")
    rows = [
        Row(
            _page(one.organization),
            [
                one.organization.name,
                one.role,
                "yes" if one.is_active else "no",
                f"{one.joined_at:{WHEN}}",
            ],
        )
        for one in own.order_by("-pk")[:SHOWN]
    ]
    everything = _list(Membership, person) if viewer.is_superuser else ""
    columns = ("Organization", "Role", "Active", "Joined")
    return Panel("Memberships", columns, rows, everything)


def _events(person: User, viewer: User) -> Panel:
    about = Event.objects.all().about(person.pk)
    if not viewer.is_superuser:
        about = about.for_support()
    latest = about.order_by("-pk")[:SHOWN]
    rows = [
        Row(
            _page(one),
            [
                one.action,
                one.outcome,
                one.actor_label,
                one.target_label,
                f"{one.at:{WHEN}}",
            ],
        )
        for one in latest
    ]
    columns = ("Event", "Outcome", "By", "To", "At")
    return Panel("Events", columns, rows, _list(Event, person))


def _page(row: Model) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return reverse(name, args=[row.pk])


def _list(model: type[Model], person: User) -> str:
    meta = model._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_changelist"
    return f"{reverse(name)}?q={person.pk}"
