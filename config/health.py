"""Is the process alive, can it work, and what is wrong: answered before the hop.

`live` touches nothing. `ready` and the full report ask database and cache on a thread of
their own, so that neither a login storm nor an exhausted pool can delay the verdict
beyond CHECK_DEADLINE.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import Error, connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import errors
from config.api import problems

CHECK_DEADLINE = 2.0
PATHS = frozenset({"/health", "/health/live", "/health/ready"})

logger = structlog.get_logger("health")


def is_health(path: str) -> bool:
    return path in PATHS


class Draining:
    """Whether this process was told to stop: it still serves, but wants no new work."""

    begun = False


class Health:
    """Wraps the application; answers its own paths."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="health")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not is_health(scope["path"]):
            await self.application(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"}:
            refusal = errors.MethodNotAllowed()
            allow = [(b"allow", b"GET, HEAD")]
            kind = problems.CONTENT_TYPE
            await _send(send, 405, problems.document(refusal), kind, allow)
        else:
            status, body = await self.report(scope["path"])
            await _send(send, status, body)

    async def report(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/health/live":
            return 200, {"status": "alive"}
        checks = await self.checks()
        healthy = all(check["status"] == "healthy" for check in checks.values())
        if path == "/health/ready":
            # Without the cache all goes on (limits/stores.py); to take every process
            # out for it would make an outage of a nuisance.
            healthy = checks["database"]["status"] == "healthy"
            ready = healthy and not Draining.begun
            return (200, {"status": "ready"}) if ready else (503, {"status": "not_ready"})
        return (200 if healthy else 503), {
            "status": "healthy" if healthy else "unhealthy",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "version": settings.VERSION,
            "environment": settings.ENVIRONMENT,
            "checks": checks,
        }

    async def checks(self) -> dict[str, dict[str, str]]:
        """One after the other on one thread; what does not answer in time is unwell."""
        loop = asyncio.get_running_loop()
        found = {}
        for name, check in _wanted().items():
            try:
                async with asyncio.timeout(CHECK_DEADLINE):
                    fine = await loop.run_in_executor(self.thread, check)
            except TimeoutError:
                fine = False
            found[name] = {
                "status": "healthy" if fine else "unhealthy",
                "message": "Answers." if fine else "Does not answer.",
            }
        return found


def _wanted() -> dict[str, Callable[[], bool]]:
    return {"database": database_answers} | (
        {"cache": cache_answers} if settings.REDIS_URL else {}
    )


def database_answers() -> bool:
    try:
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone())
    except Error:
        logger.warning("database_unreachable", exc_info=True)
        return False


def cache_answers() -> bool:
    try:
        with closing(
            redis.Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=1,
                socket_connect_timeout=1,
                retry=Retry(NoBackoff(), 0),
            )
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        logger.warning("cache_unreachable", exc_info=True)
        return False


async def _send(
    send: Any,
    status: int,
    body: dict[str, Any],
    kind: str = "application/json",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        *(extra or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
