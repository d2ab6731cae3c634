"""The servers under test: started as shipped, watched, and ended by their id."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.failures import RunFailed
from benchmarks.faults.calls import OK, Call, call
from benchmarks.faults.engines import Postgres, Redis, free_port
from benchmarks.processes import ROOT, memory_mib, run_python, stop
from benchmarks.sides import OURS

# How PostgreSQL shows whose connections are theirs.
NAME = "served"
PROC = Path("/proc")
START_SECONDS = 30
POLL_SECONDS = 0.02
# Waited for before a scenario, for so long.
QUIET_CORES, QUIET_SECONDS = 0.3, 60
THREADS = 4
# Of a process: those for Django, two for streams, health, and one for mail.
CONNECTIONS = THREADS + 4
RAISED = (
    *("login", "refresh", "refresh_session", "sessions"),
    *("register", "create_organization", "logout"),
)


@dataclass
class Service:
    """A supervisor and its workers, or one process that is both."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def workers(self) -> set[int]:
        """Whoever was started by the supervisor to serve; itself where it has none."""
        found = {pid for pid in _children(self.process.pid) if _is_worker(pid)}
        return found or {self.process.pid}

    @property
    def memory(self) -> float:
        """MiB of all workers."""
        return sum(memory_mib(pid) for pid in self.workers())

    @property
    def descriptors(self) -> int:
        return sum(len(list((PROC / f"{p}/fd").iterdir())) for p in self.workers())

    @property
    def is_ready(self) -> bool:
        return call(self.port, Call("GET", "/health/ready"), timeout=5).status == OK

    def logged(self, text: str) -> int:
        return self.log.read_text(errors="replace").count(text)

    @property
    def crashes(self) -> int:
        """What nobody foresaw."""
        return self.logged('"level": "error"')

    def wait_until_ready(self) -> float:
        """When it was, by the monotonic clock. Raises RunFailed."""
        end = time.monotonic() + START_SECONDS
        while not self.is_ready:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RunFailed(f"A server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def terminate(self) -> float:
        """How many seconds it took to go, once told. Raises RunFailed."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired as exc:
            raise RunFailed("A server did not end.") from exc
        return time.monotonic() - began


@dataclass(frozen=True)
class Bench:
    """What every scenario runs on; `folder` is for logs."""

    postgres: Postgres
    redis: Redis
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """As in production, with the limits out of the load's way."""
        limits = ",".join(f"{name}=1000000000" for name in RAISED)
        return OURS.environment(
            DATABASE_URL=self.postgres.url,
            REDIS_URL=self.redis.url,
            RATE_LIMITS=limits,
            PGAPPNAME=NAME,
            **more,
        )

    def prepare(self) -> None:
        run_python(OURS.migrate, self.environment())
        run_python(OURS.seed, self.environment())

    def start(self, workers: int = 1) -> Service:
        """Not yet ready: whoever starts it ends it."""
        port = free_port()
        log = self.folder / f"server-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, *OURS.serve.format(port=port).split()],
                cwd=ROOT,
                env=self.environment(WEB_CONCURRENCY=str(workers)),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Service(process, port, log)

    @contextmanager
    def serving(self, workers: int = 2) -> Iterator[Service]:
        """Two processes behind one port, as `WEB_CONCURRENCY=2` makes them."""
        service = self.start(workers)
        try:
            service.wait_until_ready()
            while len(service.workers()) < workers:
                time.sleep(POLL_SECONDS)
            yield service
        finally:
            stop(service.process)


def wait_until_quiet() -> float:
    """How many cores are busy with other things, at the end: a latency is judged by its
    own unloaded value, and neither means anything beside them.
    """
    end = time.monotonic() + QUIET_SECONDS
    while (busy := _busy_cores()) > QUIET_CORES and time.monotonic() < end:
        pass
    return busy


def _busy_cores() -> float:
    """Over two seconds."""
    before = _busy_seconds()
    time.sleep(2)
    return (_busy_seconds() - before) / 2


def _busy_seconds() -> float:
    """Of the columns user, nice, system, idle, iowait, irq, softirq and steal."""
    times = [
        int(text) for text in (PROC / "stat").read_text().splitlines()[0].split()[1:]
    ]
    return (sum(times[:3]) + sum(times[5:8])) / os.sysconf("SC_CLK_TCK")


def _children(parent: int) -> list[int]:
    tasks = (PROC / f"{parent}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in (PROC / f"{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended meanwhile
