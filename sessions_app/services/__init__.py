"""Signing in, staying signed in, and the end of it."""

from sessions_app.services.beginnings import begin_session, start_session
from sessions_app.services.endings import (
    end_all_of,
    end_everybodys_sessions,
    end_session,
    end_sessions,
    log_out,
    purge_sessions,
    remove_past_sessions,
)
from sessions_app.services.names import rename_session
from sessions_app.services.pairs import Tokens
from sessions_app.services.rotation import rotate_session

__all__ = [
    "Tokens",
    "begin_session",
    "end_all_of",
    "end_everybodys_sessions",
    "end_session",
    "end_sessions",
    "log_out",
    "purge_sessions",
    "remove_past_sessions",
    "rename_session",
    "rotate_session",
    "start_session",
]
