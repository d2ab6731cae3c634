"""The application of config/asgi.py, which also tells what its process looks like.

Only for a server of its own: importing it builds the application, and freezes.
"""

import gc
import json
import threading

from config.asgi import application as inner
from config.asgi_types import Receive, Scope, Send


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http" or scope["path"] != "/probe":
        await inner(scope, receive, send)
        return
    seen = {
        "frozen": gc.get_freeze_count(),
        "thresholds": gc.get_threshold(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
