"""No engine builds the image here, so what the container files say is held against what
the project has: every command parses, every name is known, every needed file enters.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from django.apps import apps
from django.core.management import get_commands, load_command_class

from config import first_run
from tests import servers

ROOT = servers.ROOT
COMPOSE = {
    name: yaml.safe_load((ROOT / name).read_text())["services"]
    for name in ("docker-compose.yml", "docker-compose.dev.yml")
}
PRODUCTION, DEVELOPMENT = COMPOSE.values()
# ${NAME:-default}, ${NAME-default} and ${NAME:?why it is needed}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:?[-?])([^}]*)\}")
GIVEN = {
    "SECRET_KEY": "Zr7-only-of-this-test-4kTqWm8sYb2v-and-long-enough-for-Django",
    "POSTGRES_PASSWORD": "only-of-this-test",
    "ALLOWED_HOSTS": "api.example.com",
    "PUBLIC_URL": "https://api.example.com",
    "FRONTEND_URL": "https://app.example.com",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
}


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions, by stage."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[list[tuple[str, str]]] = []
    for line in text.replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, rest))
    return found


def instruction(name: str) -> str:
    """That of the last stage: the image."""
    [value] = [rest for word, rest in stages()[-1] if word == name]
    return value


def commands() -> Iterator[list[str]]:
    """Every program that a container file starts."""
    yield json.loads(instruction("CMD"))
    for _, rest in stages()[0]:
        yield from in_shell(rest)
    for services in COMPOSE.values():
        for service in services.values():
            match service.get("command"):
                case ["sh", "-c", script]:
                    yield from in_shell(script)
                case [*words]:
                    yield words


def in_shell(script: str) -> list[list[str]]:
    return [shlex.split(part) for part in script.split("&&")]


def after(words: list[str], *start: str) -> list[str]:
    """What stands behind these words, or nothing."""
    for place in range(len(words)):
        if tuple(words[place : place + len(start)]) == start:
            return words[place + len(start) :]
    return []


MANAGED = [rest for words in commands() if (rest := after(words, "manage.py"))]
MODULES = [
    rest for words in commands() if (rest := after(words, "-m", "config.first_run"))
]


@pytest.mark.parametrize("arguments", MANAGED, ids=" ".join)
def test_every_managed_command_exists_and_takes_its_arguments(
    arguments: list[str],
) -> None:
    name, *rest = arguments
    command = load_command_class(get_commands()[name], name)
    assert command.create_parser("manage.py", name).parse_args(rest)


def test_the_commands_that_production_needs_are_among_them() -> None:
    found = {name for name, *_ in MANAGED}
    assert found == {"collectstatic", "migrate", "ensure_superuser", "serve", "deliver"}


@pytest.mark.parametrize("arguments", MODULES, ids=" ".join)
def test_every_step_of_a_first_run_exists(arguments: list[str]) -> None:
    assert first_run.parser().parse_args(arguments)


# --- The image


def test_the_image_runs_as_nobody_and_serves_to_the_outside() -> None:
    user = re.fullmatch(r"(\d+):(\d+)", instruction("USER"))
    assert user
    assert 0 not in map(int, user.groups())
    assert json.loads(instruction("CMD"))[-2:] == ["--host", "0.0.0.0"]


# checks 207
def test_what_builds_does_not_serve() -> None:
    build, image = stages()
    installs = [rest for name, rest in build if name == "RUN" and "uv sync" in rest]
    assert len(installs) == 1
    assert {"--frozen", "--no-dev", "--no-build"} <= set(installs[0].split())
    assert not [rest for name, rest in image if name in {"RUN", "ADD", "ARG"}]
    copies = [rest for name, rest in image if name == "COPY"]
    assert all(rest.startswith("--from=build /") for rest in copies)


def test_both_stages_have_the_same_python_and_the_makefiles_uv() -> None:
    bases = {rest.split()[0] for stage in stages() for name, rest in stage[:1]}
    assert bases == {"python:3.13-slim"}
    version = re.search(r"^UV_VERSION = (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert version
    assert ("ARG", f"UV_VERSION={version[1]}") in stages()[0]


def test_the_health_check_tells_a_live_server_from_a_dead_one(tmp_path: Path) -> None:
    check = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    environment = servers.environment(f"sqlite:///{tmp_path / 'none.sqlite3'}")
    with servers.server(environment) as url:
        assert exit_of(check, url) == 0
    assert exit_of(check, url) != 0


def exit_of(check: list[str], url: str) -> int:
    words = [word.replace("http://127.0.0.1:8000", url) for word in check]
    assert words != check
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, *words[1:]], check=False, stderr=subprocess.DEVNULL
    ).returncode


# --- What enters the image


def rules() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def enters(path: str) -> bool:
    """Docker's reading: the last rule that fits the path or a folder above it counts."""
    verdict = True
    here = PurePosixPath(path)
    for rule in rules():
        pattern = rule.removeprefix("!")
        if any(fits(part, pattern) for part in (here, *here.parents[:-1])):
            verdict = rule.startswith("!")
    return verdict


def fits(path: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern.removeprefix("**/"))
    return len(path.parts) == 1 and fnmatch(path.name, pattern)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.local",
        "config/.env",
        ".git/config",
        "tests/settings.py",
        "accounts/tests/test_login.py",
        "db.sqlite3",
        "db.sqlite3-wal",
        "config/copy.sqlite3",
        ".venv/bin/python",
        ".tools/bin/uv",
        "config/__pycache__/settings.cpython-311.pyc",
        "backup.sql",
        "docker-compose.yml",
    ],
)
def test_no_secret_database_or_test_enters_the_image(path: str) -> None:
    assert not enters(path)


def test_whatever_serving_needs_enters_the_image() -> None:
    own = {
        Path(app.path).relative_to(ROOT).parts[0]
        for app in apps.get_app_configs()
        if Path(app.path).parent == ROOT
    }
    needed = {"static", "templates", "manage.py", "pyproject.toml", "uv.lock", *own}
    assert {rule.removeprefix("!") for rule in rules() if rule[0] == "!"} == needed
    assert all(enters(f"{name}/migrations/0001_initial.py") for name in own)
    assert all(enters(name) for name in needed)


# --- Compose


def resolved(environment: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """As compose fills it in; KeyError where a needed name is not given."""

    def value(found: re.Match[str]) -> str:
        name, kind, text = found.groups()
        return given[name] if kind == ":?" else given.get(name, text)

    return {name: VARIABLE.sub(value, str(text)) for name, text in environment.items()}


@pytest.mark.parametrize("service", ["web", "migrate"])
def test_production_as_shipped_passes_the_deployment_check(service: str) -> None:
    environment = resolved(PRODUCTION[service]["environment"], GIVEN)
    servers.manage(
        "check",
        "--deploy",
        "--fail-level=WARNING",
        environment=servers.environment("", ENV_FILE="/dev/null", LOG_FORMAT="")
        | {"DJANGO_SETTINGS_MODULE": "config.settings"}
        | environment,
    )


@pytest.mark.parametrize("name", GIVEN)
def test_production_does_not_start_without_what_only_its_owner_knows(name: str) -> None:
    given = {key: value for key, value in GIVEN.items() if key != name}
    with pytest.raises(KeyError, match=name):
        resolved(PRODUCTION["web"]["environment"], given)


def test_every_name_given_to_the_application_is_one_that_it_reads() -> None:
    known = set(
        re.findall(r"^#?([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.M)
    )
    for service in (PRODUCTION["web"], PRODUCTION["migrate"], DEVELOPMENT["web"]):
        assert set(service["environment"]) <= known


def test_production_serves_only_after_one_migration() -> None:
    assert PRODUCTION["migrate"]["restart"] == "no"
    assert PRODUCTION["web"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "db": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }
    [script] = PRODUCTION["migrate"]["command"][2:]
    assert [words[2] for words in in_shell(script)] == ["migrate", "ensure_superuser"]


@pytest.mark.parametrize("service", ["web", "migrate"])
def test_production_writes_nowhere_and_may_do_nothing_else(service: str) -> None:
    settings = PRODUCTION[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert "user" not in settings


@pytest.mark.parametrize("name", COMPOSE)
def test_nothing_is_reached_from_other_machines(name: str) -> None:
    ports = [
        port for service in COMPOSE[name].values() for port in service.get("ports", [])
    ]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", COMPOSE)
def test_servers_have_the_promised_releases_and_keep_their_data(name: str) -> None:
    services = COMPOSE[name]
    assert services["db"]["image"] == "postgres:17-alpine"
    assert services["redis"]["image"] == "redis:7-alpine"
    volumes = yaml.safe_load((ROOT / name).read_text())["volumes"]
    assert services["db"]["volumes"][0].partition(":")[0] in volumes


def test_development_reloads_this_folder_and_catches_its_mail() -> None:
    web = DEVELOPMENT["web"]
    assert web["volumes"] == [".:/app"]
    assert web["command"][2].endswith("--reload")
    assert web["environment"]["EMAIL_URL"] == "smtp://mailpit:1025"
    assert "mailpit" in DEVELOPMENT
