from typing import Any

from django.core.management.base import BaseCommand

from accounts.proofs import purge_proofs


class Command(BaseCommand):
    help = "Delete mailed links and codes that have run out. Safe to run twice at once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Deleted {purge_proofs()} links.")
