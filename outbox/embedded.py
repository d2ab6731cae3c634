"""Delivery inside a server process, for those who run nothing beside it."""

import threading

import structlog
from django.db import Error, close_old_connections, connections

from outbox import bell
from outbox.delivery import deliver_due

logger = structlog.get_logger("outbox")

LOOK_SECONDS = 5.0
STOP_SECONDS = 5.0


class Carrier:
    """One thread. What it holds when it is stopped goes to the next one after a lease."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        bell.ring()
        self.thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self.stopping.is_set():
            self._deliver()
            bell.wait(LOOK_SECONDS)
        connections.close_all()

    def _deliver(self) -> None:
        try:
            deliver_due(wanted=lambda: not self.stopping.is_set())
        except Error:
            # The database is away: it is asked again at the next look.
            logger.warning("outbox_unreachable", exc_info=True)
        # The last guard of this thread: without it, one unforeseen fault would end all
        # mail of this process without a word.
        except Exception:
            logger.exception("outbox_crashed")
        finally:
            # What is broken or too old; else this thread keeps its own, as all do.
            close_old_connections()
