"""A client for races: every call of a burst is on its way before one answer is read."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

API = "/api/v1"
PASSWORD = "plum otter canvas meadow"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Call:
    """`server` is a base URL; `path` is below /api/v1 unless it is a health path."""

    server: str
    method: str
    path: str
    body: Any = None
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, line: HTTPConnection) -> None:
        fields = dict(self.headers)
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        content = None
        if self.body is not None:
            fields["Content-Type"] = "application/json"
            content = json.dumps(self.body)
        path = self.path if self.path.startswith("/health") else f"{API}{self.path}"
        line.request(self.method, path, content, fields)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of the first error in a problem document."""
        return str(self.json["errors"][0]["code"])


@contextmanager
def sent(calls: Sequence[Call]) -> Iterator[list[HTTPConnection]]:
    """The connections of the calls, opened before the first of them is sent."""
    lines = [
        HTTPConnection(urlsplit(call.server).netloc, timeout=PATIENCE_SECONDS)
        for call in calls
    ]
    try:
        for line in lines:
            line.connect()
        for call, line in zip(calls, lines, strict=True):
            call.send(line)
        yield lines
    finally:
        for line in lines:
            line.close()


def answer_on(line: HTTPConnection) -> Answer:
    response = line.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def at_once(calls: Sequence[Call]) -> list[Answer]:
    with sent(calls) as lines:
        return [answer_on(line) for line in lines]


def ask(
    server: str, method: str, path: str, body: Any = None, *, token: str = ""
) -> Answer:
    return at_once([Call(server, method, path, body, token)])[0]


@dataclass(frozen=True)
class Person:
    id: str
    email: str


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str

    @classmethod
    def of(cls, answer: Answer) -> "Pair":
        assert answer.status == 200, answer.body
        return cls(answer.json["access_token"], answer.json["refresh_token"])


def new_email() -> str:
    return f"person-{secrets.token_hex(6)}@example.com"


def registration(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "first_name": "Ada"}


def credentials(email: str, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password}


def register(server: str) -> Person:
    answer = ask(server, "POST", "/auth/register", registration(new_email()))
    assert answer.status == 201, answer.body
    return Person(answer.json["id"], answer.json["email"])


def sign_in(server: str, person: Person) -> Pair:
    return Pair.of(ask(server, "POST", "/auth/login", credentials(person.email)))


def refresh(server: str, token: str) -> Answer:
    return ask(server, "POST", "/auth/refresh", {"refresh_token": token})


def me(server: str, access: str) -> int:
    """The status of the cheapest call that needs a session."""
    return ask(server, "GET", "/users/me", token=access).status
