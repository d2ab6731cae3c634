"""Who asks, and from where: read by logs and audit. A leaf.

The edge sets it for each request; a command sets it for its run. Every request is
carried to its thread in a copy of the context, so nothing leaks to the next one.
"""

from contextvars import ContextVar
from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`address` is the resolved client address, or empty where there is none."""

    request_id: str = ""
    address: str = ""
    agent: str = ""
    session_id: UUID | None = None


NOBODY = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request", default=NOBODY)


def current() -> RequestContext:
    return _current.get()


def for_templates(request: object) -> dict[str, str]:
    """A context processor: an error page can name the request."""
    return {"request_id": _current.get().request_id}


def enter(context: RequestContext) -> None:
    _current.set(context)


def remember_session(session_id: UUID | None) -> None:
    """From here on, what is logged and recorded names this device session."""
    _current.set(replace(_current.get(), session_id=session_id))
