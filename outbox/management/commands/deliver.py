import signal
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections

from outbox import bell
from outbox.delivery import deliver_due

logger = structlog.get_logger("outbox")

LOOK_SECONDS = 2.0


class Command(BaseCommand):
    help = "Send the mails that wait, for ever; with --once, what is due now. Any number."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"Sent {deliver_due()} mails.")
            return
        stopping = threading.Event()

        def stop(*_: Any) -> None:
            stopping.set()
            bell.ring()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        while not stopping.is_set():
            _deliver(stopping)
            bell.wait(LOOK_SECONDS)


def _deliver(stopping: threading.Event) -> None:
    """The mail in hand is finished before it stops."""
    try:
        deliver_due(wanted=lambda: not stopping.is_set())
    except Error:
        # The database is away: it is asked again at the next look.
        logger.warning("outbox_unreachable", exc_info=True)
    finally:
        close_old_connections()
