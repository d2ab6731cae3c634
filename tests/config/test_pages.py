"""What stands around the API: landing page, documents, list of errors, health."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, NoReturn

import httpx
import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from config import errors, health
from config.api.problems import FIELD_CODES, title
from config.health import Draining
from tests.client import Api
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db

PAGES = ["/", "/docs", "/redoc", "/docs/errors", "/admin/login/"]


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.inline: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "style"} and data.strip():
            self.inline.append(data)

    def values(self, *names: str) -> list[str]:
        return [a[name] for _, a in self.found for name in names if name in a]


def page(client: Api, path: str) -> Tags:
    answer = client.get(path, raw=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return Tags(answer.text)


# --- Pages -------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere(api: SignIn, path: str) -> None:
    """The strict policy would stop it, and a server may stand without the internet."""
    tags = page(api(), path)
    loaded = [
        attributes.get("src") or attributes.get("href", "")
        for tag, attributes in tags.found
        if tag in {"script", "link", "img", "iframe", "source"}
    ]
    assert loaded
    for address in loaded:
        assert re.match(r"/(?!/)", address)
        assert api().get(address, raw=True).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline(api: SignIn, path: str) -> None:
    """Checks 173: neither script nor style nor handler, so the policy stops nothing."""
    tags = page(api(), path)
    attributes = {name for _, found in tags.found for name in found}
    assert not {name for name in attributes if name.startswith("on")}
    assert "style" not in attributes
    assert not tags.inline
    assert not [value for value in tags.values("href", "src") if "javascript:" in value]


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/docs/errors"])
def test_no_link_of_a_page_is_dead(api: SignIn, path: str) -> None:
    links = {
        attributes["href"].partition("#")[0]
        for tag, attributes in page(api(), path).found
        if tag == "a"
    }
    for link in links - {""}:
        answer = api().get(link, raw=True)
        assert answer.status_code in {200, 302}, link


def test_the_landing_page_leads_everywhere(api: SignIn) -> None:
    links = set(page(api(), "/").values("href"))
    assert {"/docs", "/redoc", "/docs/errors", "/api/v1/openapi.json"} <= links
    assert {"/health", "/admin/"} <= links


def test_the_landing_page_knows_where_the_console_is(
    api: SignIn, settings: Settings
) -> None:
    """Checks 224: its path can be moved, and it can be switched off."""
    settings.ADMIN_PATH = "ops/console/"
    assert "/ops/console/" in page(api(), "/").values("href")
    settings.ADMIN_PATH = ""
    assert not [link for link in page(api(), "/").values("href") if "console" in link]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documents_are_drawn_from_our_own_description(api: SignIn, path: str) -> None:
    [source] = page(api(), path).values("data-document")
    assert api().get(source, raw=True).json()["info"]["title"] == "Backend API"


def test_every_code_has_an_entry_where_its_type_leads(api: SignIn) -> None:
    tags = page(api(), "/docs/errors")
    answer = api().get("/docs/errors", raw=True)
    assert {reason.code for reason in errors.catalogue()} <= set(tags.values("id"))
    for reason in errors.catalogue():
        assert title(reason.code) in answer.text
        assert str(reason.status) in answer.text


def test_every_code_of_a_field_is_on_the_page(api: SignIn) -> None:
    text = api().get("/docs/errors", raw=True).text
    missing = {code for code in FIELD_CODES if f">{code}<" not in text}
    assert not missing


def test_no_two_entries_share_an_anchor(api: SignIn) -> None:
    anchors = page(api(), "/docs/errors").values("id")
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_head_as_well(api: SignIn, path: str) -> None:
    assert api().call("HEAD", path, raw=True).status_code == 200


# --- The OpenAPI document as it is served ------------------------------------------


def test_the_document_is_json_that_anybody_may_keep_for_a_while(api: SignIn) -> None:
    answer = api().get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json()["openapi"].startswith("3.")


def test_the_document_is_the_same_for_everybody(api: SignIn, root: Any) -> None:
    assert api().get("/openapi.json").content == api(root).get("/openapi.json").content


# --- Health ------------------------------------------------------------------------

READY = {"status": "ready"}


def probe(client: Api, path: str) -> httpx.Response:
    answer = client.get(path, raw=True)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> NoReturn:
        raise OperationalError("could not connect to postgres://user:secret@host/name")

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", refuse)


@pytest.fixture
def no_redis(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://:secret@127.0.0.1:{taken.getsockname()[1]}/0"


def test_a_healthy_service_says_so_in_the_contracts_shape(
    api: SignIn, settings: Settings
) -> None:
    answer = probe(api(), "/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"status", "timestamp", "version", "environment", "checks"}
    assert (body["status"], body["environment"]) == ("healthy", "development")
    assert body["timestamp"].endswith("Z")
    age = datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])
    assert abs(age.total_seconds()) < 60
    wanted = {"database", "cache"} if settings.REDIS_URL else {"database"}
    assert body["checks"].keys() == wanted
    for check in body["checks"].values():
        assert check.keys() == {"status", "message"}
        assert check["status"] == "healthy"


@pytest.mark.usefixtures("no_database")
def test_without_a_database_the_process_lives_but_is_not_ready(api: SignIn) -> None:
    """Checks 254."""
    assert probe(api(), "/health/live").json() == {"status": "alive"}
    ready, full = probe(api(), "/health/ready"), probe(api(), "/health")
    assert (ready.status_code, ready.json()) == (503, {"status": "not_ready"})
    assert (full.status_code, full.json()["status"]) == (503, "unhealthy")
    assert full.json()["checks"]["database"]["status"] == "unhealthy"
    # Nothing secret (checks 208).
    assert not re.search("secret|host|postgres|could not", full.text + ready.text)


@pytest.mark.usefixtures("no_redis")
def test_without_redis_the_service_is_unwell_but_ready(api: SignIn) -> None:
    """It goes on counting by itself; an orchestrator must not take it out."""
    full = probe(api(), "/health")
    assert full.status_code == 503
    checks = full.json()["checks"]
    assert {name: check["status"] for name, check in checks.items()} == {
        "database": "healthy",
        "cache": "unhealthy",
    }
    assert "secret" not in full.text
    assert probe(api(), "/health/ready").json() == READY


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that neither answers nor refuses."""
    released = threading.Event()

    def hang(_: object) -> NoReturn:
        released.wait(30)
        raise OperationalError

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", hang)
    monkeypatch.setattr(health, "CHECK_DEADLINE", 0.05)
    yield
    released.set()


@pytest.mark.usefixtures("stuck")
def test_a_database_that_hangs_hangs_no_probe(api: SignIn) -> None:
    for _ in range(3):
        assert probe(api(), "/health/ready").status_code == 503
    assert probe(api(), "/health/live").status_code == 200


def test_a_process_told_to_stop_is_not_ready_but_alive(
    api: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Draining, "begun", True)
    assert probe(api(), "/health/ready").status_code == 503
    assert probe(api(), "/health/live").status_code == 200
    assert probe(api(), "/health").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_a_probe_knows_no_limit_and_no_token(api: SignIn, path: str) -> None:
    """Checks 198."""
    for _ in range(20):
        headers = {"Authorization": "Bearer x", "Accept": "text/html"}
        assert api().get(path, raw=True, headers=headers).status_code == 200


def test_probes_at_once_are_all_answered(api: SignIn) -> None:
    application = api().application

    async def many() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))

    answers = application.loop.run_until_complete(many())
    assert [json.loads(answer.content) for answer in answers] == [READY] * 20
