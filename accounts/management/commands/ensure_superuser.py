from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.services import ensure_superuser
from config.errors import Conflict, ValidationFailed


class Command(BaseCommand):
    help = (
        "Make the first superuser from FIRST_SUPERUSER_EMAIL and"
        " FIRST_SUPERUSER_PASSWORD, unless there is one of that address."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        email = settings.FIRST_SUPERUSER_EMAIL
        password = settings.FIRST_SUPERUSER_PASSWORD
        if not (email and password):
            self.stdout.write("FIRST_SUPERUSER_EMAIL and ..._PASSWORD are not set.")
            return
        made = self._ensure(email, password)
        self.stdout.write("Superuser made." if made else "The superuser is there.")

    def _ensure(self, email: str, password: str) -> bool:
        try:
            return ensure_superuser(email=email, password=password)
        except ValidationError as exc:
            raise CommandError("FIRST_SUPERUSER_EMAIL is no mail address.") from exc
        except Conflict as exc:
            raise CommandError(
                "FIRST_SUPERUSER_EMAIL belongs to an account without that right."
            ) from exc
        except ValidationFailed as exc:
            reasons = " ".join(fault["message"] for fault in exc.members["errors"])
            raise CommandError(f"FIRST_SUPERUSER_PASSWORD: {reasons}") from exc
