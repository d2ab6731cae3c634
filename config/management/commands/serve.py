from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.workers import OPTIONS


class Command(BaseCommand):
    help = "Serve with uvicorn: WEB_CONCURRENCY processes, our limits, no proxy headers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--reload", action="store_true", help="for development")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT == "build":
            raise CommandError("ENVIRONMENT=build is for building, not for serving.")
        uvicorn.run(
            "config.asgi:application",
            host=options["host"],
            port=options["port"],
            reload=options["reload"],
            workers=None if options["reload"] else settings.WEB_CONCURRENCY,
            log_config=None,
            **OPTIONS,
        )
