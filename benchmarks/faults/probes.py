"""Questions asked all the time while something is done to the server."""

import threading
from collections.abc import Callable

from benchmarks.faults.calls import OK, Answer, Call, call
from benchmarks.faults.crowd import Person, Target

EVERY_SECONDS, READ_EVERY_SECONDS = 0.1, 0.05
LIVE, READY = "/health/live", "/health/ready"


class Probe:
    """Asks one thing again and again, one call at a time, until the block ends."""

    def __init__(self, ask: Callable[[], Answer], every: float = EVERY_SECONDS) -> None:
        self.ask = ask
        self.every = every
        self.answers: list[Answer] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Probe":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.stopping.wait(self.every):
            self.answers.append(self.ask())

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    @property
    def all_well(self) -> bool:
        return bool(self.answers) and all(a.status == OK for a in self.answers)

    def between(self, begin: float, end: float) -> list[Answer]:
        return [answer for answer in self.answers if begin <= answer.began <= end]


def health(target: Target, path: str) -> Probe:
    return Probe(lambda: call(target(), Call("GET", path), kind=path))


def reads(port: int, person: Person) -> Probe:
    """What somebody who has nothing to do with the fault gets."""
    return Probe(lambda: call(port, person.me(), kind="me"), READ_EVERY_SECONDS)
