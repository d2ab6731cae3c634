"""The mixed load: calls leave at a fixed rate, however long the answers take."""

import random
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from benchmarks import people
from benchmarks.faults.calls import API, Answer, Call, call
from benchmarks.faults.crowd import (
    Person,
    Target,
    login,
    new_address,
    new_email,
    session_of,
)
from benchmarks.faults.ledger import Ledger

RATE = 50
# Enough for a rate of 50 with every call at its deadline.
AT_ONCE = 400
MIXED = {
    "me": 40,
    "organizations": 20,
    "refresh": 20,
    "login": 10,
    "register": 3,
    "organization": 4,
    "logout": 3,
}
REFRESHES = {"refresh": 1}
# Those who only sign in, so that nobody's first session becomes one too many.
VISITORS = range(500, 900)


class Load:
    """Runs from `with` to the end of the block, which waits for the last answer."""

    def __init__(
        self, target: Target, crowd: list[Person], *, mix: dict[str, int] | None = None
    ) -> None:
        self.target = target
        self.crowd = crowd
        self.ledger = Ledger()
        self.answers: list[Answer] = []
        self.kinds, self.weights = zip(*(mix or MIXED).items(), strict=True)
        self.turns, self.visitors = cycle(crowd), cycle(VISITORS)
        self.guests: list[str] = []
        self.chance = random.Random(7)  # noqa: S311  # the same mix each time
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(AT_ONCE)
        self.clock = threading.Thread(target=self._send)

    def __enter__(self) -> "Load":
        self.clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.clock.join()
        self.pool.shutdown()

    def _send(self) -> None:
        due = time.monotonic()
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            [kind] = self.chance.choices(self.kinds, self.weights)
            self.pool.submit(self._one, kind, next(self.turns))
            due += 1 / RATE

    def _one(self, kind: str, person: Person) -> None:
        done = {
            "refresh": self._refresh,
            "login": self._login,
            "register": self._register,
            "organization": self._organization,
            "logout": self._logout,
        }.get(kind, self._read)
        found = done(kind, person)
        with self.lock:
            self.answers += found

    def _call(self, kind: str, wanted: Call) -> Answer:
        return call(self.target(), wanted, kind=kind)

    def _read(self, kind: str, person: Person) -> list[Answer]:
        path = "/users/me" if kind == "me" else "/organizations/me"
        return [self._call(kind, person.get(path))]

    def _refresh(self, kind: str, person: Person) -> list[Answer]:
        """Nothing, where the same person is at it: one token is spent at a time."""
        if not person.lock.acquire(blocking=False):
            return []
        try:
            return person.refresh(self.target)
        finally:
            person.lock.release()

    def _login(self, kind: str, person: Person) -> list[Answer]:
        email = people.address(next(self.visitors))
        answer = self._call(kind, login(email, new_address()))
        if answer.succeeded:
            access = answer.json["access_token"]
            self.ledger.note(kind, session_of(access), answer)
            self.guests.append(access)
        return [answer]

    def _register(self, kind: str, person: Person) -> list[Answer]:
        email = new_email()
        body = {"email": email, "password": people.PASSWORD, "first_name": "Ada"}
        path = f"{API}/auth/register"
        answer = self._call(kind, Call("POST", path, body, address=new_address()))
        self.ledger.note(kind, email, answer)
        return [answer]

    def _organization(self, kind: str, person: Person) -> list[Answer]:
        name = f"Engines {secrets.token_hex(6)}"
        answer = self._call(kind, person.post("/organizations", {"name": name}))
        self.ledger.note(kind, name, answer)
        return [answer]

    def _logout(self, kind: str, person: Person) -> list[Answer]:
        with self.lock:
            access = self.guests.pop() if self.guests else ""
        if not access:
            return self._organization("organization", person)
        answer = self._call(kind, Call("POST", f"{API}/auth/logout", {}, access))
        self.ledger.note(kind, session_of(access), answer, access=access)
        return [answer]
