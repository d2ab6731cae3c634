from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.services import purge_sessions


class Command(BaseCommand):
    help = "Delete expired sessions, in batches. Safe to run twice at once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Deleted {purge_sessions()} sessions.")
