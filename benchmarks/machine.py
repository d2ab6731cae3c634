"""Where and with what it was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks import databases
from benchmarks.sides import OURS

PACKAGES = {
    "Django": "django",
    "DRF": "djangorestframework",
    "SimpleJWT": "djangorestframework-simplejwt",
    "uvicorn": "uvicorn",
    "psycopg": "psycopg",
}


def processor() -> str:
    """Its model and how many cores of it there are."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{len(os.sched_getaffinity(0))} cores of {line.partition(': ')[2]}"
    return f"{len(os.sched_getaffinity(0))} cores of {platform.machine()}"


def versions() -> dict[str, str]:
    packages = {title: version(name) for title, name in PACKAGES.items()}
    return {
        "Python": platform.python_version(),
        **packages,
        **databases.versions(OURS),
        "wrk": _wrk(),
    }


def _wrk() -> str:
    """It says its version with its usage, and fails."""
    command = ["wrk", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no input in it
    return done.stdout.partition("[")[0].removeprefix("wrk").strip() or "unknown"
