from typing import Any

from django.core.management.base import BaseCommand

from accounts.services import purge_accounts


class Command(BaseCommand):
    help = "Anonymise accounts whose grace period is over. Safe to run twice at once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Anonymised {purge_accounts()} accounts.")
