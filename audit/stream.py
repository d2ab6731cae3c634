"""Tells every process what happened, after commit, over the channel layer.

The one module below `live` that knows channels. What is announced may get lost with the
layer; what must hold is looked up in the database again (live/hub.py).
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from typing import Any, cast
from uuid import UUID

import redis
import structlog
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, get_channel_layer
from django.conf import settings
from django.db import models, transaction

from audit.layers import SEND_SECONDS, RedisLayer
from audit.models import Event

# One for all: each process picks what its own sockets may hear. A group a person would
# cost a round trip for every socket that opens, and have to be joined again after each
# outage.
GROUP = "live"
# Of one message: what a bulk change made goes in several.
MAXIMUM_EVENTS = 200
# A dead layer is asked again after this long.
REST_SECONDS = 2.0
WARNING_SECONDS = 60.0
# Messages on their way; more means that the layer takes none.
MAXIMUM_PENDING = 1000

logger = structlog.get_logger("stream")

# The actions that somebody listens to: filled by who shows them.
announced: set[str] = set()


def layer() -> BaseChannelLayer:
    """The one of the settings, which always have one."""
    return cast(BaseChannelLayer, get_channel_layer())


class Announcer:
    """One a process. Never raises for a layer that is gone: the change has happened."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        # One, so that what is announced first is heard first; and nobody who changes
        # something waits for a layer that does not answer.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="announcing")
        self.room = BoundedSemaphore(MAXIMUM_PENDING)
        # Something was not announced: whoever beats next tells everybody.
        self.lost = False
        self.rests_until = 0.0
        self.warned_until = 0.0

    def serve_on(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """From here on what is in memory goes through this loop: a socket waits on it,
        and another loop would not wake it.
        """
        self.loop = loop

    def send(self, message: dict[str, Any]) -> None:
        """From any thread."""
        if self.loop is None:
            # A command: there is nobody in its own process to hear it.
            if settings.REDIS_URL:
                self._send(message)
        elif self.room.acquire(blocking=False):
            sent = self.thread.submit(self._send, message)
            sent.add_done_callback(self._make_room)
        else:
            self._lose("too many are waiting")

    def _send(self, message: dict[str, Any]) -> None:
        if time.monotonic() < self.rests_until:
            self.lost = True
            return
        try:
            _publish(message, self.loop)
        except (redis.RedisError, OSError, ChannelFull) as exc:
            self.rests_until = time.monotonic() + REST_SECONDS
            self._lose(type(exc).__name__)

    def _make_room(self, sent: "Future[None]") -> None:
        self.room.release()
        if not sent.cancelled() and (fault := sent.exception()):
            # Nobody waits for it, so nobody else would hear of a fault of ours.
            self.lost = True
            logger.error("announcement_crashed", exc_info=fault)

    def _lose(self, reason: str) -> None:
        self.lost = True
        now = time.monotonic()
        if now >= self.warned_until:
            self.warned_until = now + WARNING_SECONDS
            logger.warning("not_announced", reason=reason)


def _publish(message: dict[str, Any], loop: asyncio.AbstractEventLoop | None) -> None:
    chosen = layer()
    if isinstance(chosen, RedisLayer):
        chosen.publish(GROUP, message)
    elif loop:
        sent = asyncio.run_coroutine_threadsafe(chosen.group_send(GROUP, message), loop)
        sent.result(SEND_SECONDS)


announcer = Announcer()


def announce(events: Sequence[Event], targets: Sequence[models.Model | None]) -> None:
    """Once the transaction is committed; nothing, where it is rolled back."""
    told = [
        describe(event, person_id=getattr(target, "audit_person_id", None))
        for event, target in zip(events, targets, strict=True)
        if event.action in announced
    ]
    for start in range(0, len(told), MAXIMUM_EVENTS):
        message = {"type": "live.events", "events": told[start : start + MAXIMUM_EVENTS]}
        transaction.on_commit(partial(announcer.send, message))


def describe(event: Event, *, person_id: UUID | None) -> dict[str, Any]:
    """As plain JSON; `person_id` is whose business it is, apart from the organization."""
    return {
        "id": str(event.pk),
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "action": event.action,
        "person_id": _text(person_id),
        "organization_id": _text(event.organization_id),
        "target_id": _text(event.target_id),
        "data": event.data,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
