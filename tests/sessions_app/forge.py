"""Tokens as an attacker who holds the key, or does not, would make them."""

import json
from collections.abc import Mapping
from typing import Any

import jwt

from sessions_app import tokens
from tests.client import Api

DROP = object()


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def forged(
    token: str,
    *,
    header: Mapping[str, object] | None = None,
    secret: bytes | None = None,
    claims: Mapping[str, object] | None = None,
) -> str:
    """The token again, with other claims or header, signed with our key by default."""
    payload = claims_of(token) | dict(claims or {})
    payload = {name: value for name, value in payload.items() if value is not DROP}
    names = jwt.get_unverified_header(token) | dict(header or {})
    algorithm = names.pop("alg", "HS256")
    names = {name: value for name, value in names.items() if value is not DROP}
    key = tokens.keyring().signing.secret if secret is None else secret
    # Not `jwt.encode`: it refuses claims that a forger would not.
    content = json.dumps(payload).encode()
    return jwt.PyJWS().encode(content, key, algorithm=algorithm, headers=names)


def status_of(api: Api, token: str) -> int:
    """What a call with this bearer token answers."""
    answer = api.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.status_code
