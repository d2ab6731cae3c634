"""Wakes whoever delivers in this process: a mail need not wait for the next look.

A SimpleQueue and no Event, because a signal handler rings it too: its `put` is reentrant,
where an Event's lock could be held by the very thread that the signal interrupts.
"""

import queue
from contextlib import suppress

_rings: "queue.SimpleQueue[None]" = queue.SimpleQueue()


def ring() -> None:
    # One is enough, and in a process where nobody listens it must not pile up.
    if _rings.empty():
        _rings.put(None)


def wait(seconds: float) -> None:
    """Until it rings, or so long."""
    with suppress(queue.Empty):
        _rings.get(timeout=seconds)
