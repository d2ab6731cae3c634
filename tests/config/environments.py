"""Settings as a given environment makes them: here, or in a process of their own."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests import servers

# In values that must never be told.
SENTINEL = "S3ntinel4711"
# Django's own check wants fifty characters of it, ours thirty-two.
KEY = "kq8Zr2mW5xT9vB4nL7cJ1hG6fD3sA0pYuEiRoQ-uT5bN2wK8dV6jM3xP"
OTHER_KEY = "Yx7Lq3mW5xT9vB4nL7cJ1hG6fD3sA0pYuEiRoZ"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": KEY,
    "JWT_SIGNING_KEYS": OTHER_KEY,
    "ALLOWED_HOSTS": "api.example.com",
    "PUBLIC_URL": "https://api.example.com",
    "FRONTEND_URL": "https://app.example.com",
    "EMAIL_URL": "smtp+tls://mail.example.com:587",
    "DATABASE_URL": f"postgres://somebody:{SENTINEL}@127.0.0.1:1/nothing",
}
DEVELOPMENT = {"ENVIRONMENT": "development", "SECRET_KEY": KEY}

NAME = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
OURS = set(NAME.findall((servers.ROOT / ".env.example").read_text()))


def process_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """This process's, with no setting of ours but the given ones."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    own = {"DJANGO_SETTINGS_MODULE": "config.settings", "ENV_FILE": os.devnull}
    return kept | own | dict(environment)


def settings_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """What config/settings.py makes of it. Raises ImproperlyConfigured."""
    with mock.patch.dict(os.environ, process_environment(environment), clear=True):
        return runpy.run_path(str(servers.ROOT / "config" / "settings.py"))


def faults_of(environment: Mapping[str, str]) -> list[str]:
    """The lines of the refusal, without the first."""
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings_of(environment)
    title, *lines = str(refusal.value).splitlines()
    assert title == "The settings are not usable:"
    return lines


def run(
    *arguments: str, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, *arguments],
        cwd=servers.ROOT,
        env=process_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
