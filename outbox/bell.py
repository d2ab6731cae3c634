"""Wakes whoever delivers in this process: a mail need not wait for the next look."""

import threading

_rung = threading.Event()


def ring() -> None:
    _rung.set()


def wait(seconds: float) -> None:
    """Until it rings, or so long."""
    _rung.wait(seconds)
    _rung.clear()
