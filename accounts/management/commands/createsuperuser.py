from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Refuses: it would take any password and record nothing."

    def add_arguments(self, parser: Any) -> None:
        for name in ("--email", "--first_name", "--database"):
            parser.add_argument(name)
        for name in ("--noinput", "--no-input"):
            parser.add_argument(name, action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError(
            "Use `manage.py ensure_superuser` for the first superuser; a superuser makes"
            " others in the console."
        )
