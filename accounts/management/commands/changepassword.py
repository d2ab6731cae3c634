from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services import set_password
from config.errors import ValidationFailed


class Command(BaseCommand):
    help = "Set a person's password by the rules of all; every session of theirs ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(options["email"])
        except User.DoesNotExist as exc:
            raise CommandError("There is no such account.") from exc
        password = getpass("New password: ")
        if password != getpass("Once more: "):
            raise CommandError("These were two different passwords.")
        try:
            set_password(user=user, password=password)
        except ValidationFailed as exc:
            reasons = " ".join(fault["message"] for fault in exc.members["errors"])
            raise CommandError(reasons) from exc
        self.stdout.write("The password is changed; every session has ended.")
