import time
from typing import Any

from django.core.management.base import BaseCommand

from limits.models import Counter


class Command(BaseCommand):
    help = "Delete counters whose window has ended."

    def handle(self, *args: Any, **options: Any) -> None:
        number, _ = Counter.objects.filter(expires_at__lte=int(time.time())).delete()
        self.stdout.write(f"Deleted {number} counters.")
