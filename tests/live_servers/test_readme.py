"""What the documents say is so: the walk-through runs, and every name in them exists."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from config import health
from config.serving import EVENTS_PATH
from tests import servers
from tests.servers import ROOT

ROOMS = (
    "accounts",
    "audit",
    "config",
    "limits",
    "live",
    "organizations",
    "outbox",
    "sessions_app",
)
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Decisions name what other libraries have, and the standards what there is not to be.
STANDARDS = ROOT / "docs" / "CODING_STANDARDS.md"
OF_OUR_CODE = [p for p in DOCUMENTS if p.parent != DECISIONS and p != STANDARDS]
FOREIGN = {"django_capture_on_commit_callbacks", "async_to_sync", "source", "QueryDict"}

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
documents_of_our_code = pytest.mark.parametrize(
    "document", OF_OUR_CODE, ids=lambda path: str(path.relative_to(ROOT))
)


# --- The walk-through --------------------------------------------------------------


@dataclass(frozen=True)
class Walk:
    code: int
    output: str

    @property
    def statuses(self) -> list[str]:
        return re.findall(r"^[A-Z]+ /\S+: (\d{3})$", self.output, re.MULTILINE)


def walk(base: str) -> Walk:
    text = README.read_text()
    part = text.partition("<!-- walk-through:begin -->")[2]
    part = part.partition("<!-- walk-through:end -->")[0].strip()
    assert part.startswith("```bash\n")
    assert part.endswith("\n```")
    script = part.removeprefix("```bash\n").removesuffix("```")
    # Nothing of this process: a proxy in it would come between.
    done = subprocess.run(  # noqa: S603  # our own document
        [
            "/usr/bin/env",
            "-i",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            f"BASE={base}",
            "bash",
        ],
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return Walk(done.returncode, done.stdout)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.database(tmp_path_factory.mktemp("walk")) as url:
        yield url


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[str]:
    """With the limits as shipped."""
    with servers.server(servers.environment(database)) as url:
        yield url


def test_the_walk_through_ends_with_a_token_that_is_refused(
    server: str, database: str
) -> None:
    walked = walk(server)
    assert walked.code == 0, walked.output
    signed_in, tenant = ["201", "200", "200", "200", "200"], ["201", "201", "200"]
    assert walked.statuses == [*signed_in, *tenant, "200", "401"]
    assert '"code":"session_ended"' in walked.output.rpartition("/users/me: 401")[2]
    sessions = "SELECT end_reason, rotations FROM sessions_app_session"
    assert servers.rows(database, sessions) == [("logout", 1)]


def test_the_walk_through_stops_at_the_first_answer_that_is_not_as_told(
    server: str,
) -> None:
    walked = walk(f"{server}/nowhere")
    assert (walked.code, walked.statuses) == (1, ["404"])


# --- What stands in the documents --------------------------------------------------


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.S | re.M)


def spans(document: Path) -> list[str]:
    """What is in code style inside the text, on one line each."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.S | re.M)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def commands(document: Path) -> str:
    """Whatever somebody might type."""
    return "\n".join([*spans(document), *blocks(document, "[a-z]*")])


def code() -> str:
    """All that is ours, but the documents; and what tables and commands are called."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    files += [ROOT / name for name in ("Makefile", "manage.py", "pyproject.toml")]
    files += [ROOT / ".env.example", *(ROOT / "tests").glob("*.py")]
    tables = [model._meta.db_table for model in apps.get_models()]
    return "\n".join([*(path.read_text() for path in files), *tables, *get_commands()])


WORDS = frozenset(re.findall(r"\w+", code()))


def is_served(path: str) -> bool:
    if path in {*health.PATHS, settings.API_PREFIX, EVENTS_PATH}:
        return True
    for candidate in (path, settings.API_PREFIX + path):
        try:
            resolve(candidate.replace("{id}", str(uuid4())))
        except Resolver404:
            continue
        return True
    return False


@every_document
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text())
    inside = [link for link in links if not link.startswith("https://")]
    assert [link for link in inside if not (document.parent / link).is_file()] == []


@every_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", commands(document))) <= targets


@every_document
def test_commands_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"\bmanage\.py ([a-z_]+)", commands(document)))
    assert named <= get_commands().keys()


@every_document
def test_files_that_are_named_exist(document: Path) -> None:
    suffixes = (".md", ".toml", ".yml", ".json", ".example", ".lock")
    named = [s for s in spans(document) if re.fullmatch(r"\.?\w[\w.-]*(/[\w.-]*)*", s)]
    paths = [s for s in named if "/" in s or s.endswith(suffixes)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@every_document
def test_addresses_that_are_named_are_served(document: Path) -> None:
    served, _, _ = document.read_text().partition("## Not yet")
    form = r"`(?:(?:GET|POST|PUT|PATCH|DELETE) )?(/[a-z0-9/{}_.-]*)`"
    assert [path for path in re.findall(form, served) if not is_served(path)] == []


@every_document
def test_settings_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", "\n".join(spans(document)))
    assert set(named) <= WORDS


@documents_of_our_code
def test_names_in_code_style_are_names_in_the_code(document: Path) -> None:
    form = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:\w+)?(\(\))?"
    named = [span for span in spans(document) if re.fullmatch(form, span)]
    words = {word for name in named for word in re.findall(r"\w+", name)}
    shown = set(re.findall(r"\w+", "\n".join(blocks(document, "[a-z]*"))))
    assert words - WORDS - shown - FOREIGN == set()


@every_document
def test_excerpts_are_in_the_files_that_they_name(document: Path) -> None:
    for block in blocks(document, "python"):
        path, _, excerpt = block.removeprefix("# ").partition("\n")
        file = "".join((ROOT / path).read_text().split())
        for part in excerpt.split("\n...\n"):
            assert "".join(part.split()) in file, f"{path}:\n{part}"


def test_the_example_has_an_excerpt_of_every_layer() -> None:
    excerpts = blocks(ROOT / "docs" / "FEATURE_EXAMPLE.md", "python")
    named = [block.partition("\n")[0] for block in excerpts]
    for layer in ("urls", "serializers", "views", "services", "models", "errors"):
        assert any(layer in path for path in named), layer


def test_every_constraint_is_in_the_architecture() -> None:
    ours = [model for room in ROOMS for model in apps.get_app_config(room).get_models()]
    names = {c.name for model in ours for c in model._meta.constraints}
    names.add("events_are_append_only")
    assert names - set(spans(ARCHITECTURE)) == set()


def test_every_room_is_on_the_map() -> None:
    assert {f"{room}/" for room in ROOMS} <= set(spans(README))


def test_every_decision_is_in_the_index() -> None:
    records = {path.name for path in DECISIONS.glob("0*.md")}
    index = (DECISIONS / "README.md").read_text()
    assert set(re.findall(r"\]\((0[^)]+)\)", index)) == records
