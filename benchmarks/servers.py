"""A running server of one side, and what is asked of it outside of wrk."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from benchmarks import people
from benchmarks.failures import Busy, RunFailed
from benchmarks.processes import free_port, started
from benchmarks.sides import HEADERS, Side

START_SECONDS = 60
ANSWER_SECONDS = 60
POLL_SECONDS = 0.01
OK, UNAVAILABLE = 200, 503


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str


@dataclass
class Server:
    """`start_seconds`: from the start of the process to the first answer."""

    side: Side
    pid: int
    port: int
    start_seconds: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, str] | None = None,
        token: str = "",
    ) -> Any:
        """The answer. Raises RunFailed where it is no 200, Busy where it is a 503."""
        headers = HEADERS | {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != OK:
            wrong = f"{self.side.title}: {method} {path}: {answer.status}"
            failure = Busy if answer.status == UNAVAILABLE else RunFailed
            raise failure(f"{wrong} {text[:300].decode(errors='replace')}")
        return json.loads(text)

    def sign_in(self, email: str) -> Tokens:
        credentials = {"email": email, "password": people.PASSWORD}
        answer = self.call("POST", "/api/v1/auth/login", body=credentials)
        return Tokens(answer[self.side.access], answer[self.side.refresh])

    def refresh(self, token: str) -> str:
        """The next refresh token. Raises RunFailed where it is the same."""
        body = {self.side.refresh: token}
        answer = self.call("POST", "/api/v1/auth/refresh", body=body)
        if answer[self.side.refresh] == token:
            raise RunFailed(f"{self.side.title} does not rotate.")
        return str(answer[self.side.refresh])


@contextmanager
def serving(
    side: Side, *, workers: int = 1, core: int | None = None, **environment: str
) -> Iterator[Server]:
    port = free_port()
    arguments = side.serve.format(port=port, workers=workers)
    settings = side.environment(WEB_CONCURRENCY=str(workers), **environment)
    begun = time.monotonic()
    with started(arguments, settings, core=core) as process:
        server = Server(side, process.pid, port)
        while not _answers(port):
            if process.poll() is not None:
                raise RunFailed(f"{side.title} did not start.")
            if time.monotonic() - begun > START_SECONDS:
                raise RunFailed(f"{side.title} does not answer.")
            time.sleep(POLL_SECONDS)
        server.start_seconds = time.monotonic() - begun
        yield server


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", "/health/live")
        except ConnectionRefusedError:
            return False
        return connection.getresponse().status == OK
