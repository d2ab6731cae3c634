from typing import Any

from django.core.management.base import BaseCommand

from outbox.services import purge_mails


class Command(BaseCommand):
    help = "Delete mails that were sent or given up long ago. Safe to run twice at once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Deleted {purge_mails()} mails.")
