"""How a process hears what others announce, and notices that it hears nothing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import redis
import structlog
from channels.exceptions import ChannelFull

from audit.stream import GROUP, announcer, layer
from config.identifiers import new_id

# How often a message to everybody tries the layer, and how long it may take.
BEAT_SECONDS = 5.0
BEAT_DEADLINE = 2.0
RETRY_SECONDS = 1.0
# Beats come more often: the connection has died without a word.
SILENCE_SECONDS = 2 * BEAT_SECONDS + BEAT_DEADLINE
FAULTS = (redis.RedisError, OSError, ChannelFull)
# What an event of another release may make of ours.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)

logger = structlog.get_logger("live")


class Ear:
    """`hear` is called for each event; `catch_up` where announcements were lost: here,
    because the layer was away, or wherever one could not be sent.
    """

    def __init__(
        self, hear: Callable[[Mapping[str, Any]], None], catch_up: Callable[[], None]
    ) -> None:
        self.hear = hear
        self.catch_up = catch_up
        self.key = str(new_id())
        self.channel = ""
        self.beaten = asyncio.Event()
        self.deaf = False

    async def listen(self) -> None:
        while True:
            try:
                await self._listen()
            except FAULTS:
                # What is announced until the next beat is lost.
                self._go_deaf()
                self.channel = ""
                await _start_anew()
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        self.channel = await layer().new_channel()
        await layer().group_add(GROUP, self.channel)
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await layer().receive(self.channel)
            try:
                self._take(message)
            except UNREADABLE:
                logger.exception("message_unreadable")

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("lost"):
            self.catch_up()
        if message.get("beat") == self.key:
            self.beaten.set()
        for event in message.get("events", ()):
            try:
                self.hear(event)
            except UNREADABLE:
                logger.exception("event_unreadable")

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if not await self._is_heard():
                self._go_deaf()
            elif self.deaf:
                self.deaf = False
                logger.info("layer_is_back")
                self.catch_up()

    def _go_deaf(self) -> None:
        if not self.deaf:
            self.deaf = True
            logger.warning("layer_unreachable")

    async def _is_heard(self) -> bool:
        if not self.channel:
            return False
        self.beaten.clear()
        lost, announcer.lost = announcer.lost, False
        message = {"type": "live.beat", "beat": self.key, "lost": lost}
        try:
            async with asyncio.timeout(BEAT_DEADLINE):
                # Anew each time: the layer in memory forgets members after a day.
                await layer().group_add(GROUP, self.channel)
                await layer().group_send(GROUP, message)
                await self.beaten.wait()
        except FAULTS:
            announcer.lost = announcer.lost or lost
            return False
        return True


async def _start_anew() -> None:
    try:
        async with asyncio.timeout(BEAT_DEADLINE):
            await layer().flush()
    except FAULTS:
        # Its connections are given up all the same.
        return
