"""Demo sessions: most are active, some were ended, some have run out and await the purge.

Nobody has one from before they came, and who was shut out has none that is active.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from config.demo.plan import Plan, between, is_leaving, is_present, mix
from config.demo.tables import Row, Table
from sessions_app.devices import device_name
from sessions_app.models import EndReason, Session, absolute_end, idle_end
from sessions_app.tokens import keyring

COLUMNS = (
    "id",
    "user_id",
    "epoch",
    "refresh_digest",
    "previous_digest",
    "refresh_kid",
    "rotated_at",
    "rotations",
    "created_at",
    "last_used_at",
    "expires_at",
    "absolute_expires_at",
    "ended_at",
    "end_reason",
    "ip_address",
    "first_ip_address",
    "user_agent",
    "device_id",
    "device_name",
    "location_city",
    "location_country",
)
# Of a thousand sessions. The rest has run out.
ACTIVE, ENDED = 600, 300
# What of its limit a person has at most, on average.
ROOM = 0.5
REASONS = (
    *(EndReason.LOGOUT,) * 10,
    *(EndReason.REVOKED,) * 3,
    *(EndReason.LOGOUT_ALL,) * 2,
    *(EndReason.PASSWORD,) * 2,
    *(EndReason.SURPLUS,) * 2,
    EndReason.REUSE,
)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML,"
    " like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Mobile Safari/537.36",
)
PLACES = (
    ("Berlin", "Germany"),
    ("Lagos", "Nigeria"),
    ("Lyon", "France"),
    ("Osaka", "Japan"),
    ("Porto", "Portugal"),
    ("Toronto", "Canada"),
    ("", ""),
)


@dataclass(frozen=True, slots=True)
class Life:
    created: datetime
    used: datetime
    ended: datetime | None = None
    reason: str = ""


def sessions(plan: Plan, span: range) -> Table:
    return Table(Session, COLUMNS, _rows(plan, span))


def _rows(plan: Plan, span: range) -> Iterator[Row]:
    whole = settings.SESSION_ABSOLUTE_LIFETIME
    kid = keyring().signing.kid
    for index in span:
        created = plan.now - whole * (1 - index / plan.sessions)
        chance = mix(index + 1)
        other = mix(chance)
        person = chance % plan.people_at(created)
        life = _life(plan, created, person, other)
        # A refresh is the last use, and moves the end of its idleness.
        final = absolute_end(created)
        rotations = other % 200
        address = f"198.{18 + other % 2}.{other >> 8 & 255}.{other >> 16 & 255}"
        agent = AGENTS[(other >> 24) % len(AGENTS)]
        yield (
            plan.identifier(created, index),
            plan.person_id(person),
            0,
            f"{chance:016x}{other:016x}" * 2,
            f"{other:016x}{chance:016x}" * 2 if rotations else "",
            kid,
            life.used,
            rotations,
            created,
            life.used,
            min(idle_end(life.used), final),
            final,
            life.ended,
            life.reason,
            address,
            address,
            agent,
            "",
            device_name(agent),
            *PLACES[(other >> 32) % len(PLACES)],
        )


def _life(plan: Plan, created: datetime, person: int, chance: int) -> Life:
    idle = settings.REFRESH_TOKEN_LIFETIME
    latest = min(plan.now, absolute_end(created))
    lot = (chance >> 48) % 1000
    if not is_present(person):
        reason = EndReason.LEFT if is_leaving(person) else EndReason.DEACTIVATED
        return _ended(created, latest, reason, chance)
    if lot < active_share(plan):
        earliest = max(created, plan.now - idle * ROOM)
        return Life(created, min(latest, between(earliest, latest, chance)))
    if lot >= ACTIVE + ENDED and created < plan.now - idle:
        return Life(created, between(created, plan.now - idle, chance))
    return _ended(created, latest, REASONS[chance % len(REASONS)], chance)


def _ended(created: datetime, latest: datetime, reason: EndReason, chance: int) -> Life:
    moment = between(created, latest, chance)
    return Life(created, moment, moment, reason.value)


def active_share(plan: Plan) -> int:
    """Of a thousand: fewer where there are so many for each person that the surplus would
    have been ended.
    """
    room = ROOM * settings.SESSIONS_PER_USER * plan.users
    return min(ACTIVE, int(1000 * room / plan.sessions))
