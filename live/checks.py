"""What stands in the way of telling everybody at once."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def check_layer(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Production refuses to start so (config/checks.py)."""
    if settings.WEB_CONCURRENCY == 1 or settings.REDIS_URL:
        return []
    return [
        Warning(
            "WEB_CONCURRENCY is above 1 and REDIS_URL is missing: what one process does,"
            " the sockets of the others hear of only by looking, within 30 seconds.",
            id="live.W001",
        )
    ]
