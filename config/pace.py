"""Large bodies come one after the other: a burst of them leaves room for all others."""

import asyncio

from django.conf import settings

from config.errors import Unavailable
from config.refusals import MAXIMUM_LENGTH_DIGITS

# Longer than nearly every body of this API.
BULKY_BYTES = 64 * 1024
# Between the beginnings of two such requests: at most 125 a second in each process. To
# refuse 200 that came at once took every core for a tenth of a second.
SPACING_SECONDS = 0.008


class Pace:
    """Who comes alone never waits. Lives on one event loop."""

    def __init__(self) -> None:
        self.free_at = 0.0

    async def keep(self) -> None:
        """Raises Unavailable where the wait would be too long."""
        now = asyncio.get_running_loop().time()
        wait = max(0.0, self.free_at - now)
        if wait > settings.QUEUE_DEADLINE.total_seconds():
            raise Unavailable(retry_after=1)
        self.free_at = now + wait + SPACING_SECONDS
        await asyncio.sleep(wait)


def declares_bulk(headers: dict[bytes, str]) -> bool:
    """One that declares no length shows it only as it arrives."""
    length = headers.get(b"content-length", "")[: MAXIMUM_LENGTH_DIGITS + 1]
    return length.isascii() and length.isdigit() and int(length) > BULKY_BYTES
