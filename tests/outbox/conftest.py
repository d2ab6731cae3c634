import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from outbox import bell
from tests import servers
from tests.outbox.letters import database_url
from tests.outbox.postbox import Postbox

SMTP = "django.core.mail.backends.smtp.EmailBackend"

Deliver = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def postbox(settings: Settings) -> Iterator[Postbox]:
    """A real mail server, where this process and those it starts send to."""
    box = Postbox()
    box.start()
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = box.port
    settings.EMAIL_TIMEOUT = 0.5
    yield box
    box.recover()
    box.stop()


@pytest.fixture
def quiet_bell() -> None:
    """What rang before is not for this test."""
    bell.wait(0)


@pytest.fixture
def beside(transactional_db: Any, postbox: Postbox) -> dict[str, str]:
    """The environment of a process on this test's database and mail server."""
    return servers.environment(
        database_url(),
        EMAIL_URL=postbox.url,
        LOG_FORMAT="json",
        RATELIMIT_ENABLE="false",
        ARGON2_MEMORY_KIB="8",
        ARGON2_PASSES="1",
    )


@contextmanager
def delivering(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "deliver"],
        cwd=servers.ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def deliver(beside: dict[str, str]) -> Iterator[Deliver]:
    """Starts a `manage.py deliver`; each is ended behind the test."""
    with ExitStack() as stack:

        def start(**more: str) -> "subprocess.Popen[bytes]":
            return stack.enter_context(delivering(beside | more))

        yield start
