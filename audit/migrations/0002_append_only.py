"""The database refuses to change an event; only labels may be replaced by a pseudonym."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FIXED = (
    "id, at, action, outcome, actor_id, session_id, organization_id, target_type,"
    " target_id, request_id, data"
)

POSTGRESQL = f"""
CREATE FUNCTION refuse_changed_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER events_are_append_only BEFORE UPDATE OF {FIXED} ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_changed_event();
"""

SQLITE = f"""
CREATE TRIGGER events_are_append_only BEFORE UPDATE OF {FIXED} ON audit_event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
"""


def add_trigger(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    schema_editor.execute(POSTGRESQL if postgresql else SQLITE, params=None)


def drop_trigger(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER events_are_append_only ON audit_event")
        schema_editor.execute("DROP FUNCTION refuse_changed_event")
    else:
        schema_editor.execute("DROP TRIGGER events_are_append_only")


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_events")]

    operations = [migrations.RunPython(add_trigger, drop_trigger)]
