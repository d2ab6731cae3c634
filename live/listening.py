"""How a process hears what others announce, and notices that it hears nothing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import redis
import structlog

from audit.stream import GROUP, layer

# How often a message to ourselves tries the layer, and how long it may take.
BEAT_SECONDS = 5.0
BEAT_DEADLINE = 2.0
RETRY_SECONDS = 1.0
FAULTS = (redis.RedisError, OSError)

logger = structlog.get_logger("live")


class Ear:
    """`hear` is called for each event; `catch_up` once the layer is back, since what was
    announced meanwhile is lost.
    """

    def __init__(
        self, hear: Callable[[Mapping[str, Any]], None], catch_up: Callable[[], None]
    ) -> None:
        self.hear = hear
        self.catch_up = catch_up
        self.channel = ""
        self.beaten = asyncio.Event()
        self.deaf = False

    async def listen(self) -> None:
        while True:
            try:
                await self._listen()
            except FAULTS:
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        channel = await layer().new_channel()
        await layer().group_add(GROUP, channel)
        self.channel = channel
        while True:
            message = await layer().receive(channel)
            self.beaten.set()
            for event in message.get("events", ()):
                self.hear(event)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if await self._is_heard():
                if self.deaf:
                    self.deaf = False
                    logger.info("layer_is_back")
                    self.catch_up()
            elif not self.deaf:
                self.deaf = True
                logger.warning("layer_unreachable")

    async def _is_heard(self) -> bool:
        self.beaten.clear()
        try:
            async with asyncio.timeout(BEAT_DEADLINE):
                await layer().send(self.channel, {"type": "live.beat"})
                await self.beaten.wait()
        except FAULTS:
            return False
        return True
