from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.apps import apps
from django.conf import settings as configured
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from pytest_django.fixtures import Settings

from accounts.models import User
from config import context
from tests.accounts.console import Browser
from tests.client import Api, InProcess, signed_in
from tests.factories import UserFactory, make_superuser

SignIn = Callable[..., Api]


@pytest.fixture(scope="session")
def in_process() -> Iterator[InProcess]:
    call_command("collectstatic", interactive=False, verbosity=0)
    application = InProcess()
    yield application
    application.thread.shutdown()
    application.loop.close()


@pytest.fixture(autouse=True)
def fresh_counters() -> None:
    """The database's are rolled back; Redis keeps them, so it is emptied."""
    if configured.REDIS_URL:
        redis.Redis.from_url(configured.REDIS_URL).flushdb()


@pytest.fixture(autouse=True)
def fresh_context() -> None:
    context.enter(context.RequestContext())


@pytest.fixture
def api(db: Any, in_process: InProcess) -> Iterator[SignIn]:
    """`api()` is anonymous, `api(user)` signed in on a device of its own."""
    in_process.share_connection()

    def make(user: User | None = None, **kwargs: Any) -> Api:
        if user is None:
            return Api(in_process, **kwargs)
        return signed_in(in_process, user)

    yield make
    in_process.unshare_connection()


@pytest.fixture
def own_clock(settings: Settings) -> None:
    """For tests that move the clock: Redis goes by its own, so the database counts."""
    settings.REDIS_URL = ""


@pytest.fixture
def alice(db: Any) -> User:
    return UserFactory.create(email="alice@example.com", first_name="Alice")


@pytest.fixture
def bob(db: Any) -> User:
    return UserFactory.create(email="bob@example.com", first_name="Bob")


@pytest.fixture
def root(db: Any) -> User:
    return make_superuser(email="root@example.com", first_name="Root")


@pytest.fixture
def console(api: SignIn, root: User) -> Browser:
    """A superuser's browser, who has just come in."""
    browser = Browser(api())
    assert browser.sign_in(root.email).status_code == 302
    # A process asks for these once, and a test that empties the tables makes it forget
    # them: a test that counts statements would count that question, or not.
    ContentType.objects.get_for_models(*apps.get_models())
    return browser
