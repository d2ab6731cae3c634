"""People who listen to live events, and come back where their server leaves."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from websockets import ConnectionClosed, Origin, WebSocketException
from websockets.sync.client import ClientConnection, connect

from benchmarks.faults.crowd import Person, Target
from benchmarks.sides import HEADERS

PATH = "/ws/v1/events"
LOOK_SECONDS, AGAIN_SECONDS, OPEN_SECONDS = 0.25, 0.1, 5.0
# Come back, elsewhere (the registry of RFC 6455 §11.7).
SERVICE_RESTART = 1012


@dataclass
class Listener:
    """`gaps`: for how many seconds nothing was heard, each time. `codes`: how the server
    ended a socket; 0 where it did not say.
    """

    target: Target
    person: Person
    stopping: threading.Event
    gaps: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    is_there: bool = False

    def run(self) -> None:
        left = time.monotonic()
        while not self.stopping.is_set():
            try:
                with self._open() as socket:
                    self.gaps.append(time.monotonic() - left)
                    self._listen(socket)
            except ConnectionClosed as end:
                self.codes[end.rcvd.code if end.rcvd else 0] += 1
            except (OSError, WebSocketException):
                self.refused += 1
                time.sleep(AGAIN_SECONDS)
            if self.is_there:
                left, self.is_there = time.monotonic(), False

    def _open(self) -> ClientConnection:
        port = self.target()
        headers = HEADERS | {"X-Forwarded-For": self.person.address}
        headers["Authorization"] = f"Bearer {self.person.access}"
        return connect(
            f"ws://127.0.0.1:{port}{PATH}",
            origin=Origin(f"https://127.0.0.1:{port}"),
            additional_headers=headers,
            compression=None,
            open_timeout=OPEN_SECONDS,
            ping_interval=None,
        )

    def _listen(self, socket: ClientConnection) -> None:
        while not self.stopping.is_set():
            try:
                frame = json.loads(socket.recv(timeout=LOOK_SECONDS))
            except TimeoutError:
                continue
            self.is_there = self.is_there or frame["type"] == "ready"


class Listeners:
    """From `with` to the end of the block. Those of the crowd that are there at its end
    are counted before they go.
    """

    def __init__(self, target: Target, crowd: list[Person]) -> None:
        self.stopping = threading.Event()
        self.each = [Listener(target, person, self.stopping) for person in crowd]
        self.threads = [threading.Thread(target=one.run) for one in self.each]
        self.there = 0

    def __enter__(self) -> "Listeners":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.there = sum(one.is_there for one in self.each)
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    @property
    def codes(self) -> Counter[int]:
        return sum((one.codes for one in self.each), Counter())

    @property
    def refused(self) -> int:
        return sum(one.refused for one in self.each)

    @property
    def longest_gap(self) -> float:
        """But for the first time, when all come at once."""
        return max((gap for one in self.each for gap in one.gaps[1:]), default=0.0)
