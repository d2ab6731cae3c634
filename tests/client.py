"""The whole application, from the edge inwards, called in this process.

Requests run on one thread that shares the test's own database connection, so that the
test sees what they did and everything is rolled back behind it.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.core import signals
from django.db import close_old_connections, connections

from accounts.models import User
from config.edge import Edge
from config.health import Health
from config.hop import Hop
from config.serving import Protocols
from live.hub import Hub
from sessions_app.models import Session
from sessions_app.services import Tokens, start_session

PEER = "198.51.100.7"


class InProcess:
    """The application and the loop that drives it. One a test session."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.hop = Hop()
        self.hop.threads.shutdown()
        self.thread = self.hop.threads = ThreadPoolExecutor(1)
        self.hop.stream_threads.shutdown()
        self.hop.stream_threads = self.thread
        self.hub = Hub()
        self.application = Edge(Health(Protocols(self.hop, self.hub)))

    def share_connection(self) -> None:
        mine = connections["default"]
        mine.inc_thread_sharing()
        self.thread.submit(connections.__setitem__, "default", mine).result()

    def unshare_connection(self) -> None:
        connections["default"].dec_thread_sharing()
        signals.request_started.connect(close_old_connections)
        signals.request_finished.connect(close_old_connections)

    def request(
        self, method: str, path: str, *, peer: str = PEER, **kwargs: Any
    ) -> httpx.Response:
        # They would close a connection in use. Before each request, because Django's own
        # test client, which does so as well, connects them again after each of its own.
        signals.request_started.disconnect(close_old_connections)
        signals.request_finished.disconnect(close_old_connections)
        return self.loop.run_until_complete(self._request(method, path, peer, kwargs))

    async def _request(
        self, method: str, path: str, peer: str, kwargs: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.application, client=(peer, 40000))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver"
        ) as client:
            return await client.request(method, path, **kwargs)


class Api:
    """A client, anonymous or signed in. Paths are below /api/v1 unless `raw`."""

    def __init__(
        self, application: InProcess, tokens: Tokens | None = None, peer: str = PEER
    ) -> None:
        self.application = application
        self._tokens = tokens
        self.peer = peer

    @property
    def tokens(self) -> Tokens:
        if self._tokens is None:
            raise LookupError("This client is anonymous.")
        return self._tokens

    @property
    def session(self) -> Session:
        """The newest session of the one signed in."""
        return Session.objects.filter(user=self.tokens.user).latest("pk")

    def headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        own = {}
        if self._tokens:
            own["Authorization"] = f"Bearer {self._tokens.access_token}"
        return own | dict(more or {})

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        peer: str | None = None,
        raw: bool = False,
        **kwargs: Any,
    ) -> httpx.Response:
        if json is not None:
            kwargs["json"] = json
        return self.application.request(
            method,
            path if raw else f"/api/v1{path}",
            headers=self.headers(headers),
            peer=self.peer if peer is None else peer,
            **kwargs,
        )

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return self.call("POST", path, json, **kwargs)

    def patch(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return self.call("PATCH", path, json, **kwargs)

    def put(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return self.call("PUT", path, json, **kwargs)

    def delete(self, path: str, json: Any = None, **kwargs: Any) -> httpx.Response:
        return self.call("DELETE", path, json, **kwargs)


def signed_in(application: InProcess, user: User) -> Api:
    return Api(application, start_session(user=user))
