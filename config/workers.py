"""How uvicorn runs this application, the same under every supervisor."""

from typing import Any

from uvicorn_worker import UvicornWorker

# No proxy headers: config/addresses.py has the one rule. No access log: the edge writes
# one line a request. No Server header: it tells an attacker what to try.
OPTIONS: dict[str, Any] = {
    "loop": "uvloop",
    "http": "config.protocol:Protocol",
    "lifespan": "on",
    "proxy_headers": False,
    "server_header": False,
    "access_log": False,
    "ws": "config.sockets:SocketProtocol",
    # Frames of some hundred bytes: compressing them costs more memory than it saves.
    "ws_per_message_deflate": False,
    "ws_max_size": 64 * 1024,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
    "timeout_graceful_shutdown": 15,
    "timeout_keep_alive": 75,
}


class Worker(UvicornWorker):  # type: ignore[misc]  # the package has no types
    """`gunicorn -k config.workers.Worker config.asgi:application`"""

    CONFIG_KWARGS = OPTIONS
