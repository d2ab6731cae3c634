"""The settings of the suite: those of development, without anybody's `.env`.

DATABASE_URL and REDIS_URL choose the engines; without them it is SQLite alone.
"""

import os
import tempfile
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")

os.environ.update(
    ENV_FILE=os.devnull,
    ENVIRONMENT="development",
    SECRET_KEY="Jx4-test-key-only-9vQm2sLd8wRt6yBn3zKf",
    FRONTEND_URL="https://app.example.com",
    PUBLIC_URL="https://api.example.com",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    BACKEND_CORS_ORIGINS="https://app.example.com",
    LOG_LEVEL="INFO",
    LOG_FORMAT="json",
)
if redis_url := os.environ.get("REDIS_URL"):
    # A database of Redis for each worker, emptied before each test.
    os.environ["REDIS_URL"] = f"{redis_url.rpartition('/')[0]}/{int(WORKER) + 1}"

from config.settings import *  # noqa: E402, F403  # after the environment is set
from config.settings import DATABASES  # noqa: E402  # for the type checker

scratch = tempfile.TemporaryDirectory(prefix="backend-api-tests-")
folder = Path(scratch.name)
STATIC_ROOT = folder / "static"

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in service: in memory, threads would share one connection's locks.
    DATABASES["default"]["TEST"] = {"NAME": str(folder / "test.sqlite3")}
