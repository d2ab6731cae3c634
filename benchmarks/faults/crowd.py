"""The people of a run: each has a session, keeps its tokens, and comes again."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks import people
from benchmarks.failures import RunFailed
from benchmarks.faults.calls import API, UNAUTHORIZED, Answer, Call, call

Target = Callable[[], int]
# A client that lost an answer presents its token again this soon, for so long: the grace
# of a spent token is 10 s.
AGAIN_SECONDS = 0.25
PATIENCE_SECONDS = 25
SIGNING_IN = 8


@dataclass
class Person:
    """`tokens`: every refresh token that it was given, the last one is good."""

    email: str
    address: str
    access: str
    tokens: list[str]
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def session(self) -> str:
        return session_of(self.access)

    def me(self) -> Call:
        return self.get("/users/me")

    def get(self, path: str) -> Call:
        return Call("GET", API + path, token=self.access, address=self.address)

    def post(self, path: str, body: dict[str, str]) -> Call:
        return Call("POST", API + path, body, self.access, self.address)

    def refresh(self, target: Target) -> list[Answer]:
        """Until the successor is there, or the session is found to have ended."""
        answers = []
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.ended:
            answers.append(self.refresh_once(target()))
            if answers[-1].succeeded or time.monotonic() > end:
                break
            time.sleep(AGAIN_SECONDS)
        return answers

    def refresh_once(self, port: int) -> Answer:
        body = {"refresh_token": self.tokens[-1]}
        wanted = Call("POST", f"{API}/auth/refresh", body, address=self.address)
        answer = call(port, wanted, kind="refresh")
        if answer.succeeded:
            self.access = answer.json["access_token"]
            self.tokens.append(answer.json["refresh_token"])
        elif answer.status == UNAUTHORIZED:
            self.ended = True
        return answer


def login(email: str, address: str, password: str = people.PASSWORD) -> Call:
    body = {"email": email, "password": password}
    return Call("POST", f"{API}/auth/login", body, address=address)


def new_address() -> str:
    """Of a network of one's own, so that nobody shares the count of wrong passwords."""
    return ".".join(["10", *(str(secrets.randbelow(254) + 1) for _ in range(3))])


def new_email() -> str:
    return f"person-{secrets.token_hex(6)}@example.com"


def sign_in(port: int, number: int) -> Person:
    """Raises RunFailed."""
    email, address = people.address(number), new_address()
    answer = call(port, login(email, address))
    if not answer.succeeded:
        raise RunFailed(f"Nobody can sign in: {answer.shown} {answer.body[:300]!r}")
    found = answer.json
    return Person(email, address, found["access_token"], [found["refresh_token"]])


def gather(port: int, size: int, *, first: int = 0) -> list[Person]:
    with ThreadPoolExecutor(SIGNING_IN) as pool:
        return list(pool.map(lambda n: sign_in(port, n), range(first, first + size)))


def session_of(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sid"])
