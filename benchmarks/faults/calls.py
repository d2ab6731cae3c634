"""One HTTP call on a connection of its own, as a balancer without keep-alive makes it."""

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

API = "/api/v1"
TIMEOUT_SECONDS = 40
NO_ANSWER, OK, SUCCESSES_END, ERRORS_BEGIN = 0, 200, 300, 400
UNAVAILABLE, TOO_MANY, UNAUTHORIZED = 503, 429, 401
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Call:
    """`address` is the client's, as the proxy in front would tell it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    token: str = ""
    address: str = "198.51.100.7"

    @property
    def headers(self) -> dict[str, str]:
        found = {"X-Forwarded-Proto": "https", "X-Forwarded-For": self.address}
        if self.body is not None:
            found["Content-Type"] = "application/json"
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: the connection broke or was refused, `fault` says how. Times are of
    the monotonic clock, in seconds.
    """

    status: int
    began: float
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    kind: str = ""

    @property
    def ended(self) -> float:
        return self.began + self.seconds

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def succeeded(self) -> bool:
        return OK <= self.status < SUCCESSES_END

    @property
    def is_in_form(self) -> bool:
        """A success, a broken connection, or an error in the one form of errors (I4)."""
        if self.status < ERRORS_BEGIN:
            return True
        if self.headers.get("content-type") != PROBLEM:
            return False
        found = self.json
        return found["status"] == self.status and bool(found["errors"])

    @property
    def asks_to_come_again(self) -> bool:
        return self.status == UNAVAILABLE and int(self.headers.get("retry-after", 0)) >= 1

    @property
    def shown(self) -> str:
        """For a list of what went wrong."""
        return f"{self.kind} {self.status or self.fault} after {self.seconds:.2f} s"


def call(port: int, wanted: Call, *, kind: str = "", timeout: float = 0) -> Answer:
    """Never raises for what a server or a network does: that is an answer, too."""
    began = time.monotonic()
    body = None if wanted.body is None else json.dumps(wanted.body)
    line = HTTPConnection("127.0.0.1", port, timeout=timeout or TIMEOUT_SECONDS)
    with closing(line):
        try:
            line.request(wanted.method, wanted.path, body, wanted.headers)
            response = line.getresponse()
            text = response.read()
        except (OSError, HTTPException) as broken:
            spent = time.monotonic() - began
            return Answer(NO_ANSWER, began, spent, fault=type(broken).__name__, kind=kind)
    headers = {name.lower(): value for name, value in response.getheaders()}
    spent = time.monotonic() - began
    return Answer(response.status, began, spent, headers, text, kind=kind)
