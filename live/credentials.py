"""Who opens a socket: the access token of its handshake, never of its address."""

import time
from collections.abc import Mapping
from typing import Any

from sessions_app import tokens
from sessions_app.errors import TokenInvalid

SUBPROTOCOL = "bearer"


def offered(scope: Mapping[str, Any]) -> tuple[str, str | None]:
    """The token, and the subprotocol to answer; empty and None where there is none.

    From `Authorization: Bearer …`, or, since browsers set no header there, from the
    subprotocols `bearer, <token>`.
    """
    protocols: list[str] = scope["subprotocols"]
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in protocols else None
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return (token.strip() if scheme.lower() == "bearer" else ""), subprotocol
    others = [each for each in protocols if each != SUBPROTOCOL]
    return (others[0] if subprotocol and others else ""), subprotocol


def read_access(token: str) -> tokens.Claims:
    """Without the leeway that a call has: a socket would end at once.

    Raises TokenInvalid.
    """
    claims = tokens.read(token, tokens.ACCESS)
    if claims.expires <= time.time():
        raise TokenInvalid
    return claims
