"""What a client may say on a socket, and the answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.db import Error

from config.api.problems import translate
from config.errors import DomainError, InternalError, UnsupportedMediaType
from config.identifiers import new_id
from live import questions
from live.credentials import read_access
from live.errors import MessageTooLarge, UnknownMessage
from live.frames import (
    MAXIMUM_BYTES,
    Frame,
    about,
    decode,
    encode,
    read_id,
    read_text,
    refusal,
)
from live.visibility import for_oneself, for_tenant
from organizations.roles import Role
from sessions_app.errors import ForeignSession, SessionEnded

if TYPE_CHECKING:
    from live.sockets import Socket

logger = structlog.get_logger("live")

# After which there is nothing more to say.
FINAL = (SessionEnded, MessageTooLarge, UnsupportedMediaType)


async def answer(socket: "Socket", message: Mapping[str, Any]) -> None:
    """Raises the DomainError that says why not."""
    frame = decode(_content(message))
    handler = ANSWERS.get(frame["type"])
    if handler is None:
        raise UnknownMessage
    await handler(socket, frame)


def _content(message: Mapping[str, Any]) -> bytes:
    """Raises UnsupportedMediaType for a binary frame, MessageTooLarge."""
    text = message.get("text")
    if text is None:
        raise UnsupportedMediaType
    content: bytes = text.encode()
    if len(content) > MAXIMUM_BYTES:
        raise MessageTooLarge
    return content


def refuse(socket: "Socket", reason: DomainError) -> None:
    if isinstance(reason, FINAL):
        socket.end(reason)
    else:
        socket.tell(refusal(reason))


def translated(exc: DomainError | Error) -> DomainError:
    reason = translate(exc)
    if reason is None:
        logger.error("question_failed", exc_info=exc)
    return reason or InternalError()


async def _ping(socket: "Socket", frame: Frame) -> None:
    """With the place that the log has come to: a client resumes from there."""
    socket.tell(encode({"type": "pong", "last_event_id": str(new_id())}))


async def _subscribe(socket: "Socket", frame: Frame) -> None:
    organization_id = read_id(frame, "organization_id")
    try:
        role = await _request(socket, organization_id)
    except (DomainError, Error) as exc:
        reason = translated(exc)
        # Of several that were asked for at once, the client learns which is refused.
        reason.members["organization_id"] = str(organization_id)
        raise reason from exc
    if socket.subscriptions.confirm(organization_id, role):
        socket.tell(about("subscribed", organization_id))


async def _request(socket: "Socket", organization_id: UUID) -> Role:
    """Joined before the database is asked, so that a change in between is heard."""
    socket.subscriptions.request(organization_id)
    socket.hub.join(socket, organization_id)
    try:
        return await _find_role(socket, organization_id)
    except (DomainError, Error):
        socket.subscriptions.drop(organization_id)
        socket.hub.part(socket, organization_id)
        raise


async def _find_role(socket: "Socket", organization_id: UUID) -> Role:
    """Asked again where a change was heard meanwhile: the answer may be from before."""
    while True:
        doubts = socket.subscriptions.doubts
        role = await socket.hub.thread.ask(
            questions.find_role, socket.claims, organization_id
        )
        if doubts == socket.subscriptions.doubts:
            return role


async def _unsubscribe(socket: "Socket", frame: Frame) -> None:
    socket.lose(read_id(frame, "organization_id"))


async def _authenticate(socket: "Socket", frame: Frame) -> None:
    """A newer token of the same session; an older one changes nothing."""
    claims = read_access(read_text(frame, "access_token"))
    if claims.session_id != socket.claims.session_id:
        raise ForeignSession
    await socket.hub.thread.ask(questions.confirm, claims)
    socket.greet(max(claims, socket.claims, key=lambda each: each.expires))


async def _resume(socket: "Socket", frame: Frame) -> None:
    """What the person may see of what happened since; a ping behind it has its answer
    when all of that was told.
    """
    after = read_id(frame, "after")
    followed = socket.subscriptions.followed
    events = await socket.hub.thread.ask(questions.replay, socket.claims, after, followed)
    for event in events:
        for text in _shown(socket, event):
            await socket.say(text)


def _shown(socket: "Socket", event: Mapping[str, Any]) -> list[str]:
    if event["person_id"]:
        own = for_oneself(event)
        return [encode(own)] if own else []
    told = for_tenant(event)
    if told and socket.subscriptions.see(UUID(event["organization_id"]), told[1]):
        return [encode(told[0])]
    return []


Answer = Callable[["Socket", Frame], Awaitable[None]]
ANSWERS: dict[str, Answer] = {
    "ping": _ping,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "authenticate": _authenticate,
    "resume": _resume,
}
