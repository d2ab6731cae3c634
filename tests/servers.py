"""Real servers on a real database: processes started here, and ended by their id."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30


def environment(database_url: str, **more: str) -> dict[str, str]:
    """That of a server: the suite's, with a database of its own."""
    return {**os.environ, "DATABASE_URL": database_url, "LOG_LEVEL": "WARNING", **more}


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A fresh, migrated database on the engine of the suite; its URL."""
    suite = os.environ.get("DATABASE_URL", "")
    if not suite.startswith("postgres"):
        url = f"sqlite:///{folder / 'live.sqlite3'}"
        manage("migrate", environment=environment(url))
        yield url
        return
    name = f"live_{secrets.token_hex(6)}"
    with psycopg.connect(suite, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    url = urlunsplit(urlsplit(suite)._replace(path=f"/{name}"))
    try:
        manage("migrate", environment=environment(url))
        yield url
    finally:
        with psycopg.connect(suite, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def manage(*arguments: str, environment: dict[str, str]) -> str:
    """Runs `manage.py`; its output. Raises CalledProcessError."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(environment: dict[str, str], *, log: Path | None = None) -> Iterator[str]:
    """A server process; its base URL. Ended, and waited for, behind the block."""
    with running(environment, log=log) as (_, url):
        yield url


@contextmanager
def running(
    environment: dict[str, str], *, log: Path | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The same with the process, for whoever wants to hurt it."""
    port = free_port()
    output = log.open("ab") if log else subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=output,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_alive(url, process)
        yield process, url
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_alive(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode}.")
        try:
            if httpx.get(f"{url}/health/live", timeout=1).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(url)
