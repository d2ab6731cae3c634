"""Real servers on a real database: processes started here, and ended by their id."""

import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

ROOT = Path(__file__).resolve().parent.parent
PROC = Path("/proc")
PORTS = range(20_000, 32_000)
START_SECONDS = 60
# What `manage.py serve` allows a stopping server, and some for its last lines.
STOP_SECONDS = 30
SERVE = ("manage.py", "serve", "--port", "{port}")
UVICORN = ("-m", "uvicorn", "config.asgi:application", "--port", "{port}")
GUNICORN = (
    "-m",
    "gunicorn",
    "--worker-class=config.workers.Worker",
    "--no-control-socket",
    "--bind=127.0.0.1:{port}",
    "config.asgi:application",
)


def environment(database_url: str, **more: str) -> dict[str, str]:
    """That of a server: the suite's, with a database of its own."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_url,
        "LOG_LEVEL": "WARNING",
        # No balancer is in front that would have to learn of an end.
        "DRAIN_SECONDS": "0",
        **more,
    }


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


def rows(database_url: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Asks, or changes, what a server has stored; `?` stands for a value."""
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            return connection.execute(sql, values).fetchall()
    with psycopg.connect(database_url, autocommit=True) as postgres:
        answer = postgres.cursor().execute(sql.replace("?", "%s").encode(), values)
        return answer.fetchall() if answer.description else []


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
    """Not one of those that outgoing connections take: it must be free a while longer."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@contextmanager
def server(environment: dict[str, str], *, log: Path | None = None) -> Iterator[str]:
    """A server process; its base URL. Ended, and waited for, behind the block."""
    with running(environment, log=log) as (_, url):
        yield url


@contextmanager
def running(
    environment: dict[str, str],
    *,
    log: Path | None = None,
    command: Sequence[str] = SERVE,
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The same with the process, for whoever wants to hurt it.

    `command` is what Python is given; `{port}` in it is replaced.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("a+b") if log else tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, *(word.format(port=port) for word in command)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            if not wait_until_alive(url, process):
                output.seek(0)
                raise RuntimeError(output.read()[-2000:].decode())
            yield process, url
        finally:
            stop(process)


@dataclass(frozen=True)
class Running:
    pid: int
    parent: int
    memory_kib: int
    command: str


def processes() -> dict[int, Running]:
    """Every process of this machine, as `ps` has them."""
    if not PROC.is_dir():
        columns = ["ps", "-A", "-o", "pid=,ppid=,rss=,command="]
        listed = subprocess.run(columns, capture_output=True, text=True, check=True)  # noqa: S603  # no input in it
        found = [line.split(None, 3) for line in listed.stdout.splitlines()]
        return {int(p): Running(int(p), int(q), int(m), c) for p, q, m, c in found}
    return {running.pid: running for running in _in_proc()}


def _in_proc() -> Iterator[Running]:
    for folder in PROC.glob("[0-9]*"):
        try:
            lines = (folder / "status").read_text().splitlines()
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it ended meanwhile
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        memory = int(status.get("VmRSS", "0 kB").split()[0])
        yield Running(int(folder.name), int(status["PPid"]), memory, command)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def wait_until_alive(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """False where it ended instead. Raises TimeoutError."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        try:
            if httpx.get(f"{url}/health/live", timeout=1).is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(url)
