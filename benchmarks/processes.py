"""Processes of the bench: pinned, waited for, and ended by their id."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.failures import RunFailed

ROOT = Path(__file__).resolve().parent.parent
# Idle: it used less than this share of a core while it was looked at.
IDLE_SHARE = 0.1
LOOK_SECONDS = 0.2
IDLE_SECONDS = 30
STOP_SECONDS = 20


def cores() -> tuple[int, int]:
    """One for the server and another one for the clients, where there are two."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def pinned(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "--cpu-list", str(core)]


def run_python(
    arguments: str, environment: dict[str, str], *, core: int | None = None
) -> str:
    """Its output. Raises RunFailed with the end of what it complained."""
    done = subprocess.run(  # noqa: S603  # our own programs
        [*pinned(core), sys.executable, *arguments.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RunFailed(f"python {arguments}: {done.stderr[-1500:]}")
    return done.stdout


@contextmanager
def started(
    arguments: str, environment: dict[str, str], *, core: int | None
) -> Iterator["subprocess.Popen[bytes]"]:
    """In a session of its own: Ctrl-C reaches the runner alone, which then ends it.

    What it wrote is shown where the block fails.
    """
    well = False
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  # our own programs
            [*pinned(core), sys.executable, *arguments.split()],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
            well = True
        finally:
            stop(process)
            if not well:
                log.seek(0)
                sys.stderr.write(log.read()[-2000:].decode(errors="replace"))


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # It leads the group that it and its workers alone are in.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory_mib(pid: int) -> float:
    """What it holds in memory (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RunFailed("The server has ended.")


def wait_until_idle(pid: int) -> None:
    """What a run has left behind in flight must not weigh on the next one."""
    end = time.monotonic() + IDLE_SECONDS
    used = _processor_seconds(pid)
    while time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        before, used = used, _processor_seconds(pid)
        if used - before < IDLE_SHARE * LOOK_SECONDS:
            return
    raise RunFailed("A server does not come to rest after a run.")


def _processor_seconds(leader: int) -> float:
    """Of the server and its workers: all that is in its group."""
    return sum(_used_by(stat, leader) for stat in Path("/proc").glob("[0-9]*/stat"))


def _used_by(stat: Path, leader: int) -> float:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended meanwhile
    if int(fields[2]) != leader:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
