"""A PostgreSQL and a Redis of the run's own, to be stopped, frozen and hurt."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import redis

from benchmarks.failures import RunFailed, ToolMissing

DATABASE = "bench_faults"
DEBIAN = Path("/usr/lib/postgresql")
# Not one of those that outgoing connections take: an engine must find it free again.
PORTS = range(20_000, 32_000)
START_SECONDS = 30
STOP_SECONDS = 20
POLL_SECONDS = 0.02


def free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


class Engine(ABC):
    """A process in the foreground, so that its id is known from its first moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def accepts(self) -> bool: ...

    def start(self) -> float:
        """When it accepted connections, by the monotonic clock. Raises RunFailed."""
        self.process = _run(self.command(), self.folder)
        end = time.monotonic() + START_SECONDS
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RunFailed(f"{self.command()[0]} does not start.")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: what `pg_ctl stop -m fast` sends; Redis takes it as a shutdown."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class Postgres(Engine):
    """As packaged, with its durability: what is acknowledged must be on the disk."""

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def command(self) -> list[str]:
        return [
            _postgres("postgres"),
            *("-D", str(self.data), "-p", str(self.port), "-k", str(self.folder)),
            *("-c", "listen_addresses=127.0.0.1"),
        ]

    def create(self) -> None:
        """A cluster with one empty database, and the process that serves it."""
        wanted = ["--username=postgres", "--auth=trust", "--encoding=UTF8"]
        made = _run([_postgres("initdb"), "-D", str(self.data), *wanted], self.folder)
        if made.wait(START_SECONDS):
            raise RunFailed((self.folder / "log").read_text()[-1500:])
        self.start()
        with self.connect("postgres") as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}")

    def connect(self, name: str = DATABASE) -> "psycopg.Connection[tuple[object, ...]]":
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname={name}"
        return psycopg.connect(address, autocommit=True, connect_timeout=2)

    def accepts(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


class Redis(Engine):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)

    def command(self) -> list[str]:
        program = shutil.which("redis-server")
        if not program:
            raise ToolMissing(
                "redis-server is missing: install the package redis-server."
            )
        kept = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", *kept]

    def accepts(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


@contextmanager
def engines() -> Iterator[tuple[Postgres, Redis]]:
    """Both, in a folder that is removed with them."""
    folder = Path(tempfile.mkdtemp(prefix="bench_faults_"))
    folder.chmod(0o755)
    postgres, store = Postgres(_own(folder, "postgres")), Redis(_own(folder, "redis"))
    try:
        postgres.create()
        store.start()
        yield postgres, store
    finally:
        for engine in (store, postgres):
            engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    if _is_root():
        shutil.chown(place, "postgres")
    return place


def _run(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    """Out of Ctrl-C's reach; as user postgres where this is root, whom it refuses."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # our own arguments
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user="postgres" if _is_root() else None,
            group="postgres" if _is_root() else None,
        )


def _is_root() -> bool:
    return os.geteuid() == 0


def _postgres(program: str) -> str:
    """Debian keeps its servers out of the PATH, a folder for each major version."""
    found = shutil.which(program)
    with suppress(FileNotFoundError):
        versions = [folder for folder in DEBIAN.iterdir() if folder.name.isdecimal()]
        for folder in sorted(versions, key=lambda version: int(version.name)):
            found = shutil.which(program, path=folder / "bin") or found
    if not found:
        raise ToolMissing(f"{program} is missing: install the package postgresql.")
    return found
