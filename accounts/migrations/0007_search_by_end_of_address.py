"""One more index for the search for people, while the service goes on."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from accounts import search_indexes


def build(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    search_indexes.build(schema_editor.connection)


class Migration(migrations.Migration):
    # An index is built concurrently in no transaction.
    atomic = False

    dependencies = [("accounts", "0006_names_of_one_line")]

    # The way back through 0003 drops all of them.
    operations = [migrations.RunPython(build, migrations.RunPython.noop)]
