import secrets
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.passwords import check_password_rules
from config.demo import people, steps, tenants
from config.demo.plan import SALT_BITS, Plan
from config.errors import ValidationFailed

MAXIMUM = 100_000_000


def quantity(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > MAXIMUM:
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 to {MAXIMUM}.")
    return int(text)


class Command(BaseCommand):
    help = (
        "Add made-up people, sessions and organizations, for a demonstration or to see"
        " how it all behaves when it is large. Run again, it adds more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=quantity, default=100, metavar="N")
        parser.add_argument("--sessions", type=quantity, default=500, metavar="M")
        parser.add_argument("--organizations", type=quantity, default=10, metavar="K")
        parser.add_argument(
            "--password", help="of all of them; without it none of them can sign in"
        )
        parser.add_argument(
            "--yes-this-is-a-demo",
            action="store_true",
            help="wanted where ENVIRONMENT is not development",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT != "development" and not options["yes_this_is_a_demo"]:
            raise CommandError(
                f"ENVIRONMENT is {settings.ENVIRONMENT}, and made-up people cannot be"
                " told from real ones. If this database is there for a demonstration, add"
                " --yes-this-is-a-demo."
            )
        plan = self._plan(options)
        begun = time.monotonic()
        for step in steps.steps(plan):
            self._take(step, plan)
        steps.finish()
        self.stdout.write(f"Done in {time.monotonic() - begun:.1f} s.")
        if plan.users and options["password"] is None:
            self.stdout.write("None of them can sign in: no --password was given.")

    def _take(self, step: steps.Step, plan: Plan) -> None:
        begun = time.monotonic()
        written = step.run(plan)
        made = [f"{n} {model._meta.verbose_name_plural}" for model, n in written.items()]
        if made:
            used = time.monotonic() - begun
            self.stdout.write(f"{', '.join(made)}: {used:.1f} s")
            self.stdout.flush()

    def _plan(self, options: dict[str, Any]) -> Plan:
        wanted = {name: options[name] for name in ("users", "sessions", "organizations")}
        if not wanted["users"] and any(wanted.values()):
            raise CommandError(
                "Sessions and organizations are made for the people of the same run:"
                " --users must be 1 or more."
            )
        return Plan(
            **wanted,
            now=timezone.now(),
            salt=secrets.randbits(SALT_BITS),
            password=self._hashed(options["password"]),
            first_user=people.first_free_number(),
            first_organization=tenants.first_free_number(),
        )

    def _hashed(self, password: str | None) -> str:
        """One hash for all: a hundredth of a second each would be hours of a million."""
        if password is None:
            return make_password(None)
        try:
            check_password_rules(password, user=None, field="password")
        except ValidationFailed as refusal:
            reasons = " ".join(fault["message"] for fault in refusal.members["errors"])
            raise CommandError(f"--password: {reasons}") from refusal
        return make_password(password)
