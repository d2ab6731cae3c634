from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.services import end_everybodys_sessions


class Command(BaseCommand):
    help = "End every session of everybody: after a leak, or after restoring a backup."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Ended {end_everybodys_sessions()} sessions.")
