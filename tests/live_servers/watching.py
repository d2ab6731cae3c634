"""What must never be, looked for at every committed state."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from tests.live_servers.conftest import Service
from tests.live_servers.queues import connect

# What must be nowhere, at no committed state.
OWNERLESS = """
    SELECT o.id FROM organizations_organization o
    WHERE o.name = 'Watched' AND NOT EXISTS (
        SELECT 1 FROM organizations_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.organization_id = o.id AND m.role = 'owner' AND m.is_active
        AND u.is_active AND u.leaving_since IS NULL AND u.deleted_at IS NULL)
"""
NOBODY_IN_CHARGE = """
    SELECT 1 WHERE NOT EXISTS (
        SELECT 1 FROM accounts_user
        WHERE is_superuser AND is_active AND leaving_since IS NULL)
"""


@contextmanager
def watched(service: Service, broken: str) -> Iterator[None]:
    """Whatever is done in the block, `broken` finds nothing, neither for a reader that
    looks all the time nor, on PostgreSQL, within any commit: there they queue up to be
    looked at one by one.
    """
    on_sqlite = service.database.startswith("sqlite")
    view = f"CREATE VIEW broken AS {broken}"
    stop = Event()
    with changed(service, [view] if on_sqlite else [view, *WATCH]):
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look, service, stop)
            try:
                yield
            finally:
                stop.set()
        looks, seen = looking.result()
        sightings = [] if on_sqlite else service.sql("SELECT statement FROM sighting")
        service.sql("UPDATE organizations_organization SET name = 'Past'")
        assert (looks > 1, seen, sightings) == (True, set(), [])


@contextmanager
def changed(service: Service, statements: Sequence[str]) -> Iterator[None]:
    """The database has these objects during the block."""
    connection = connect(service)
    try:
        for statement in statements:
            connection.execute(statement)
        yield
    finally:
        for statement in reversed(statements):
            _, kind, name = statement.split(None, 3)[:3]
            connection.execute(
                f"DROP {kind} IF EXISTS {name} {'CASCADE' * (kind == 'FUNCTION')}"
            )
        connection.close()


# Commits wait for each other, so that none is decided on a state that another is about
# to end, and each is looked at together with all before it.
WATCH = (
    "CREATE TABLE sighting (statement text)",
    """
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(118);
        INSERT INTO sighting SELECT TG_OP || ' of ' || TG_TABLE_NAME FROM broken;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER look_at_members
    AFTER INSERT OR UPDATE OR DELETE ON organizations_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look();
    CREATE CONSTRAINT TRIGGER look_at_people AFTER UPDATE ON accounts_user
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look();
    """,
)


def look(service: Service, stop: Event) -> tuple[int, set[Any]]:
    """How often, and what was there."""
    looks, seen = 0, set()
    connection = connect(service)
    try:
        while not stop.is_set() or looks < 2:
            seen |= set(connection.execute("SELECT * FROM broken").fetchall())
            looks += 1
    finally:
        connection.close()
    return looks, seen
