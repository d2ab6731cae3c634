"""A real Chromium, Debian's, at a real server.

A test drives `page`, and fails where the browser finds a fault in a page: a breach of the
Content-Security-Policy, an uncaught error of a script, a file that is not there. What the
server holds is asked through `site`, never through the models: the browser's driver keeps
an event loop on this thread, and Django refuses its models there.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import servers
from tests.live_servers.conftest import CHEAP_HASHING, NO_LIMITS

CHROMIUM = shutil.which("chromium") or ""
EMAIL = "root@example.com"
PASSWORD = "plum otter canvas meadow"
PATIENCE_MS = 15_000


@dataclass(frozen=True)
class Site:
    """A server with one superuser, and the environment that its commands need."""

    url: str
    database: str
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        return servers.manage(*arguments, environment=self.environment)

    def sql(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return servers.rows(self.database, sql, *values)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    with servers.database(folder) as database:
        settings = _settings(database, folder)
        servers.manage("collectstatic", "--no-input", environment=settings)
        servers.manage("ensure_superuser", environment=settings)
        with servers.server(settings) as url:
            yield Site(url, database, settings)


def _settings(database: str, folder: Path) -> dict[str, str]:
    return servers.environment(
        database,
        DJANGO_SETTINGS_MODULE="tests.browser.settings",
        TEST_STATIC_ROOT=str(folder / "static"),
        FIRST_SUPERUSER_EMAIL=EMAIL,
        FIRST_SUPERUSER_PASSWORD=PASSWORD,
        **CHEAP_HASHING,
        **NO_LIMITS,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone behind each module: a test that comes after it on this thread may use the
    models again, and a loop of its own.
    """
    if not CHROMIUM:
        if os.environ.get("ENGINES"):
            pytest.fail("There is no chromium, and every engine is required.")
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        # The sandbox refuses root, whom containers run tests as.
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0
        )
        yield chromium
        chromium.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the browser found wrong with the pages; nothing, in the end."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How wide and how bright: what `new_context` takes. Chosen by `indirect`."""
    chosen: dict[str, Any] = getattr(request, "param", {})
    return chosen


@pytest.fixture
def context(
    browser: Browser, site: Site, faults: list[str], look: dict[str, Any]
) -> Iterator[BrowserContext]:
    """A browser without any cookie, whose pages are watched."""
    context = browser.new_context(base_url=site.url, **look)
    context.set_default_timeout(PATIENCE_MS)
    context.on("console", lambda said: faults.append(said.text) if _bad(said) else None)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context
    context.close()


def _bad(said: Any) -> bool:
    """Chromium reports breaches of the policy and missing files as errors."""
    return said.type == "error" or "Content Security Policy" in said.text


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def console(page: Page) -> Page:
    """The console, entered by the superuser."""
    page.goto("/admin/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return page
