from typing import Any

from django.core.management.base import BaseCommand

from organizations.services import purge_invitations


class Command(BaseCommand):
    help = "Delete invitations that ran out INVITATIONS_KEPT_DAYS ago. Safe to run twice."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Deleted {purge_invitations()} invitations.")
