"""What of an event is told, and to whom: no field that REST would not show that role.

One table for what concerns the person, one for what concerns a subscribed organization.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from organizations.roles import Capability, Role, has

Happening = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """As which type; what its target is called, and which data of the event are told."""

    type: str
    target: str = ""
    data: tuple[str, ...] = ()
    # What the action itself says, without the event having to.
    implied: Mapping[str, Any] | None = None
    needs: Capability = Capability.VIEW_ORGANIZATION


def _profile(*fields: str) -> Shown:
    return Shown("user.updated", implied={"fields": fields})


OWN: dict[str, Shown] = {
    "session.started": Shown("session.started", "session_id"),
    "session.ended": Shown("session.ended", "session_id", ("reason",)),
    "user.updated": Shown("user.updated", data=("fields",)),
    "user.rights_changed": _profile("is_superuser"),
    "email.changed": _profile("email", "email_verified"),
    "email.restored": _profile("email", "email_verified"),
    "email.verified": _profile("email_verified"),
}

_MEMBERS, _INVITATIONS = Capability.VIEW_MEMBERS, Capability.MANAGE_INVITATIONS
TENANT: dict[str, Shown] = {
    "organization.updated": Shown("organization.updated", data=("fields",)),
    "member.joined": Shown("member.joined", "user_id", ("role",), needs=_MEMBERS),
    # Who is let in again, or shut out, comes and goes in the list of members.
    "member.activated": Shown("member.joined", "user_id", ("role",), needs=_MEMBERS),
    "member.deactivated": Shown("member.left", "user_id", needs=_MEMBERS),
    "member.left": Shown("member.left", "user_id", needs=_MEMBERS),
    "member.role_changed": Shown(
        "member.role_changed", "user_id", ("role", "previous_role"), needs=_MEMBERS
    ),
    "invitation.created": Shown(
        "invitation.created", "invitation_id", ("role",), needs=_INVITATIONS
    ),
    "invitation.accepted": Shown(
        "invitation.accepted", "invitation_id", needs=_INVITATIONS
    ),
}

# Nothing is told of these, but sockets change: they end, or lose an organization.
EVERYBODY_OUT = "sessions.all_ended"
CLOSED_TENANTS = frozenset({"organization.deactivated", "organization.deleted"})
GONE_MEMBERS = frozenset({"member.left", "member.deactivated"})
CHANGED_RIGHTS = frozenset({"member.role_changed", "user.rights_changed"})

ANNOUNCED = {*OWN, *TENANT, *CLOSED_TENANTS, EVERYBODY_OUT}


def for_oneself(event: Happening) -> dict[str, Any] | None:
    """The frame, or None where it is nothing for the person."""
    shown = OWN.get(event["action"])
    return _frame(shown, event) if shown else None


def for_tenant(event: Happening) -> tuple[dict[str, Any], Capability] | None:
    """The frame, with what whoever sees it must be able to."""
    shown = TENANT.get(event["action"])
    if shown is None:
        return None
    frame = _frame(shown, event) | {"organization_id": event["organization_id"]}
    return frame, shown.needs


def sees(role: Role | None, needs: Capability) -> bool:
    return role is not None and has(role, needs)


def _frame(shown: Shown, event: Happening) -> dict[str, Any]:
    data = dict(shown.implied or {})
    if shown.target:
        data[shown.target] = event["target_id"]
    data |= {name: event["data"][name] for name in shown.data if name in event["data"]}
    return {
        "id": event["id"],
        "type": shown.type,
        "at": event["at"],
        "data": data,
    }
