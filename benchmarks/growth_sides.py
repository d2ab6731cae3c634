"""The two databases that are compared: the same project, one of them a hundred times as
large.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from benchmarks import people
from benchmarks.failures import RunFailed
from benchmarks.processes import run_python
from benchmarks.sides import OURS, Side

# On disk, with indexes and what PostgreSQL writes ahead, in bytes; and what is left free.
PER_USER, PER_SESSION = 1800, 700
LEFT_FREE = 15 * 1024**3
USERS_PER_ORGANIZATION = 50
# What else is called more often than a person may.
CALLS = ("export", "organization_events", "admin_events")
REDIS = {"growth_small": 12, "growth_large": 13}


@dataclass(frozen=True, slots=True)
class Size:
    users: int
    sessions: int

    @property
    def organizations(self) -> int:
        return max(1, self.users // USERS_PER_ORGANIZATION)

    @property
    def disk(self) -> int:
        return self.users * PER_USER + self.sessions * PER_SESSION

    def __str__(self) -> str:
        return f"{self.users:,} people and {self.sessions:,} sessions"


def size(text: str) -> Size:
    """Of USERS:SESSIONS. Raises ValueError."""
    users, _, sessions = text.partition(":")
    if int(users) < 1 or int(sessions) < 1:
        raise ValueError(text)
    return Size(int(users), int(sessions))


@dataclass(frozen=True)
class Grown(Side):
    size: Size = Size(1, 1)

    @property
    def redis_url(self) -> str:
        default = f"redis://127.0.0.1:6379/{REDIS[self.name]}"
        return os.environ.get(f"BENCH_{self.name.upper()}_REDIS_URL") or default

    @property
    def seeding(self) -> str:
        return (
            f"manage.py seed_demo --yes-this-is-a-demo --users {self.size.users}"
            f" --sessions {self.size.sessions} --organizations {self.size.organizations}"
        )


def grown(name: str, wanted: Size) -> Grown:
    fields = {field: getattr(OURS, field) for field in OURS.__dataclass_fields__}
    limits = [OURS.more["RATE_LIMITS"], *(f"{call}=1000000000" for call in CALLS)]
    more = {
        **OURS.more,
        "RATE_LIMITS": ",".join(limits),
        "FIRST_SUPERUSER_EMAIL": people.SUPERUSER,
        "FIRST_SUPERUSER_PASSWORD": people.PASSWORD,
    }
    names = {"name": f"growth_{name}", "title": f"{name}, {wanted}", "more": more}
    return Grown(**{**fields, **names}, size=wanted)


@contextmanager
def database(side: Grown, *, keep: bool, reuse: bool) -> Iterator[str]:
    """What the seed said. Dropped afterwards, unless it is to be kept."""
    store = redis.Redis.from_url(side.redis_url)
    store.flushdb()
    try:
        yield "kept from an earlier run" if reuse else fill(side)
    finally:
        store.flushdb()
        if not keep:
            drop(side)


def fill(side: Grown) -> str:
    drop(side)
    administer(side, "CREATE DATABASE {}")
    run_python(side.migrate, side.environment())
    said = run_python(side.seeding, side.environment())
    run_python("manage.py ensure_superuser", side.environment())
    vacuum(side)
    return said


def vacuum(side: Grown) -> None:
    """As autovacuum would have done by and by."""
    with connected(side) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def connected(side: Side) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(side.database_url, autocommit=True)


def drop(side: Side) -> None:
    administer(side, "DROP DATABASE IF EXISTS {} WITH (FORCE)")


def administer(side: Side, statement: str) -> None:
    parts = urlsplit(side.database_url)
    name = sql.Identifier(parts.path.lstrip("/"))
    elsewhere = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(name))


def what_fits(wanted: Size, url: str) -> Size:
    """The largest that the disk of the database allows; all of it where that is another
    machine's, which cannot be asked. Raises RunFailed where nothing fits.
    """
    parts = urlsplit(url)
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres"))) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    folder = Path(str(row[0]) if row else "")
    if not folder.exists():
        return wanted
    room = shutil.disk_usage(folder).free - LEFT_FREE
    if room >= wanted.disk:
        return wanted
    share = room / wanted.disk
    users, sessions = int(wanted.users * share), int(wanted.sessions * share)
    if users < 1:
        raise RunFailed("The disk has no room for this.")
    return replace(wanted, users=users, sessions=sessions)
