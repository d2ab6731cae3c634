"""The application that a server runs: `uvicorn config.asgi:application`.

From outside to inside: the edge, health, static files, then one hop into Django; live
sockets stay on the event loop.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

# After setup: what follows reads settings and loads models as it is imported.
from config.serving import build_application  # noqa: E402

application = build_application()
