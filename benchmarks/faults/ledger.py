"""What clients were told is done, and what the database says of it afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

import psycopg

from benchmarks.faults.calls import NO_ANSWER, UNAUTHORIZED, Answer, Call, call
from benchmarks.faults.crowd import Person

Connection = psycopg.Connection[tuple[object, ...]]

# Rows that belong together: of one write all are there once, or none is.
PARTS = {
    "register": (
        "SELECT count(*) FROM accounts_user WHERE email = %s",
        "SELECT count(*) FROM outbox_mail WHERE recipient = %s",
        "SELECT count(*) FROM audit_event"
        " WHERE action = 'user.registered' AND target_label = %s",
    ),
    "organization": (
        "SELECT count(*) FROM organizations_organization WHERE name = %s",
        "SELECT count(*) FROM organizations_membership m"
        " JOIN organizations_organization o ON o.id = m.organization_id"
        " WHERE m.role = 'owner' AND o.name = %s",
        "SELECT count(*) FROM audit_event e"
        " JOIN organizations_organization o ON o.id = e.target_id"
        " WHERE e.action = 'organization.created' AND o.name = %s",
    ),
    "login": (
        "SELECT count(*) FROM sessions_app_session WHERE id = %s",
        "SELECT count(*) FROM audit_event"
        " WHERE action = 'session.started' AND session_id = %s",
    ),
    "logout": (
        "SELECT count(*) FROM sessions_app_session"
        " WHERE end_reason = 'logout' AND id = %s",
    ),
}
# Sign-ins whose client got no answer have no name: a session without its event, or an
# event without its session, is one half of one.
HALF_SIGN_INS = """
    SELECT (SELECT count(*) FROM sessions_app_session s
            WHERE s.created_at > %s AND NOT EXISTS (
                SELECT FROM audit_event e
                WHERE e.action = 'session.started' AND e.session_id = s.id))
         + (SELECT count(*) FROM audit_event e
            WHERE e.action = 'session.started' AND e.at > %s AND NOT EXISTS (
                SELECT FROM sessions_app_session s WHERE e.session_id = s.id))
"""
LINEAGE = "SELECT rotations, ended_at FROM sessions_app_session WHERE id = %s"


@dataclass(frozen=True)
class Write:
    """`name` is what to find it by; `access` that of a session that was signed out."""

    kind: str
    name: str
    acknowledged: bool
    access: str = ""


@dataclass(frozen=True)
class Account:
    """What did not come out even; all are counts, and all but the first must be 0.

    `lost` were acknowledged and are not there exactly once (I1), `half` were not and are
    there in part (I2), `forked` are sessions that ended or rotated otherwise than their
    client knows (I3), `revived` were signed out and let somebody in (I5).
    """

    acknowledged: int
    lost: int
    half: int
    forked: int
    revived: int


@dataclass
class Ledger:
    writes: list[Write] = field(default_factory=list)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    lock: Lock = field(default_factory=Lock)

    def note(self, kind: str, name: str, answer: Answer, *, access: str = "") -> None:
        with self.lock:
            self.writes.append(Write(kind, name, answer.succeeded, access))

    def reconcile(self, database: Connection, port: int, crowd: list[Person]) -> Account:
        """Signs nobody out, but spends the token of everybody once more."""
        rotated = sum(len(person.tokens) - 1 for person in crowd)
        acknowledged = sum(write.acknowledged for write in self.writes)
        counts = [(write, _counts(database, write)) for write in self.writes]
        return Account(
            acknowledged=acknowledged + rotated,
            lost=sum(w.acknowledged and set(found) != {1} for w, found in counts),
            half=self._half_sign_ins(database)
            + sum(not w.acknowledged and len(set(found)) > 1 for w, found in counts),
            forked=sum(not _is_whole(database, port, person) for person in crowd),
            revived=sum(_lets_in(port, write.access) for write in self.signed_out),
        )

    def _half_sign_ins(self, database: Connection) -> int:
        row = database.execute(HALF_SIGN_INS, (self.begun, self.begun)).fetchone()
        return int(str(row[0])) if row else 0

    @property
    def signed_out(self) -> Iterable[Write]:
        return [w for w in self.writes if w.kind == "logout" and w.acknowledged]


def _counts(database: Connection, write: Write) -> list[object]:
    rows = [database.execute(sql, (write.name,)).fetchone() for sql in PARTS[write.kind]]
    return [row[0] for row in rows if row]


def _is_whole(database: Connection, port: int, person: Person) -> bool:
    """One live lineage: each rotation is one that its client has the token of."""
    row = database.execute(LINEAGE, (person.session,)).fetchone()
    if row != (len(person.tokens) - 1, None):
        return False
    return person.refresh_once(port).succeeded


def _lets_in(port: int, access: str) -> bool:
    answer = call(port, Call("GET", "/api/v1/users/me", token=access))
    return answer.status not in {UNAUTHORIZED, NO_ANSWER}
