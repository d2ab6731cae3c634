"""Indexes for the search for people, on PostgreSQL, while the service goes on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from accounts import search_indexes


def build(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    search_indexes.build(schema_editor.connection)


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    search_indexes.drop(schema_editor.connection)


class Migration(migrations.Migration):
    # An index is built concurrently in no transaction.
    atomic = False

    dependencies = [("accounts", "0002_proofs_and_leaving")]

    operations = [migrations.RunPython(build, drop)]
