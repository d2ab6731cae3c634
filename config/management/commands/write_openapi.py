import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from config.pages import openapi_document


class Command(BaseCommand):
    help = "Write docs/openapi.json; with --check, fail where it would change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(settings.BASE_DIR) / "docs" / "openapi.json"
        document = openapi_document()
        validate_schema(json.loads(document))
        if GENERATOR_STATS:
            GENERATOR_STATS.emit_summary()
            raise CommandError("The OpenAPI document was made with warnings.")
        if not options["check"]:
            path.write_text(document)
        elif not path.exists() or path.read_text() != document:
            raise CommandError("docs/openapi.json is stale: run `make openapi`.")
