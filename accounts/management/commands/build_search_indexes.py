from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts import search_indexes


class Command(BaseCommand):
    help = "Make the indexes of the search for people that are missing or broken."

    def handle(self, *args: Any, **options: Any) -> None:
        if not search_indexes.build(connection):
            raise CommandError(
                "They need PostgreSQL with the extension pg_trgm, which this user may not"
                f" create here. Somebody who may runs: {search_indexes.ENABLE}"
            )
        self.stdout.write("The search indexes are there.")
