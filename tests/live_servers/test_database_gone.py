"""Checks 254: the database goes away and comes back, and the server stays."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from tests import servers

READY_SECONDS = 3.0
BACK_SECONDS = 10.0


class Gate:
    """A way to the database that can be shut: every connection through it breaks."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = servers.free_port()
        self.open()

    def open(self) -> None:
        self.pairs: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self) -> None:
        for end in (self.listener, *self.pairs):
            # `close` alone would leave the thread that reads it asleep.
            with closing(end):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


Switch = Callable[[], None]


@contextmanager
def losable(folder: Path) -> Iterator[tuple[str, Switch, Switch]]:
    """A database, and how to lose it and have it back, on the engine of the suite."""
    with servers.database(folder) as url:
        if url.startswith("sqlite"):
            away = folder.with_name(folder.name + "-away")
            yield url, lambda: _move(folder, away), lambda: _move(away, folder)
            return
        parts = urlsplit(url)
        gate = Gate(parts.hostname or "127.0.0.1", parts.port or 5432)
        through = f"{parts.username or 'postgres'}@127.0.0.1:{gate.port}"
        try:
            yield urlunsplit(parts._replace(netloc=through)), gate.shut, gate.open
        finally:
            gate.shut()


def _move(here: Path, there: Path) -> None:
    here.rename(there)


def ready(url: str) -> httpx.Response:
    return httpx.get(f"{url}/health/ready", timeout=10)


def test_readiness_follows_the_database_and_life_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    with losable(folder) as (database, lose, have_back):
        environment = servers.environment(database, REDIS_URL="")
        with servers.server(environment) as url:
            assert ready(url).status_code == 200
            lose()
            began = time.monotonic()
            answer = ready(url)
            assert time.monotonic() - began < READY_SECONDS
            assert (answer.status_code, answer.json()) == (503, {"status": "not_ready"})
            whole = httpx.get(f"{url}/health", timeout=10)
            assert whole.status_code == 503
            assert whole.json()["checks"]["database"]["message"] == "Does not answer."
            assert httpx.get(f"{url}/health/live").json() == {"status": "alive"}
            have_back()
            end = time.monotonic() + BACK_SECONDS
            while ready(url).status_code != 200 and time.monotonic() < end:
                time.sleep(0.1)  # between two questions
            assert ready(url).status_code == 200


@pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="an open SQLite file outlives its name: only a server can be gone for a call",
)
def test_calls_are_told_to_come_again_and_then_served(tmp_path: Path) -> None:
    with losable(tmp_path) as (database, lose, have_back):
        environment = servers.environment(
            database, REDIS_URL="", RATELIMIT_ENABLE="false"
        )
        with servers.server(environment) as url, httpx.Client(base_url=url) as client:
            body = {"email": "a@example.com", "password": "wrong"}

            def attempt() -> httpx.Response:
                return client.post("/api/v1/auth/login", json=body, timeout=20)

            assert attempt().status_code == 401
            lose()
            refused = attempt()
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["errors"][0]["code"] == "unavailable"
            have_back()
            end = time.monotonic() + BACK_SECONDS
            while attempt().status_code == 503 and time.monotonic() < end:
                time.sleep(0.1)  # between two questions
            assert attempt().status_code == 401
