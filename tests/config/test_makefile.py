"""The Makefile is run for real, in a folder where uv and Python are stand-ins that write
down how they were called: installing and testing are not done inside a test.
"""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import ROOT

TARGETS = [
    "run",
    "install-dev",
    "sync",
    "lint",
    "lint-fix",
    "format",
    "format-check",
    "type-check",
    "validate",
    "test",
    "test-cov",
    "openapi",
    "asyncapi",
    "bench",
    "bench-live",
    "bench-growth",
    "faults",
    "clean",
    "help",
]
PYTHON = """#!/bin/sh
echo "python DATABASE_URL=$DATABASE_URL REDIS_URL=$REDIS_URL $*" >> "$CALLS"
case "$*" in
*sound*) echo sound ;;
*"import psycopg"*) printf %s "$NO_SERVERS" ;;
*"-m venv .tools"*) mkdir -p .tools/bin && cp "$0" .tools/bin/python ;;
*"pip install"*uv==*) cp "$STANDINS/good-uv" .tools/bin/uv ;;
*pytest*) echo "1 passed in 0.01s"; exit ${PYTEST_EXIT:-0} ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> "$CALLS"
case "$1" in
--version) echo "uv 1.0" ;;
sync) mkdir -p .venv/bin && cp "$STANDINS/python" .venv/bin/python ;;
esac
"""


@dataclass
class Project:
    """A folder with the Makefile; `make` there, and what it called."""

    folder: Path
    environment: dict[str, str]

    def calls(self) -> list[str]:
        """Since the last time, but for the questions whether something works."""
        log = self.folder / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in lines if "sound" not in line and "--version" not in line]

    def make(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603  # our own Makefile
            ["make", *arguments],  # noqa: S607  # whichever the machine has
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    standins, folder = tmp_path / "standins", tmp_path / "project"
    standins.mkdir()
    folder.mkdir()
    executable(standins / "python", PYTHON)
    executable(standins / "uv", UV)
    executable(standins / "good-uv", UV)
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, folder)
    return Project(
        folder,
        {
            "PATH": f"{standins}:/usr/local/bin:/usr/bin:/bin",
            "PYTHON": str(standins / "python"),
            "STANDINS": str(standins),
            "CALLS": str(folder / "calls"),
        },
    )


def test_make_alone_explains_every_target(project: Project) -> None:
    alone = project.make()
    assert alone.stdout == project.make("help").stdout
    explained = dict(line.split(maxsplit=1) for line in alone.stdout.splitlines())
    assert sorted(explained) == sorted(TARGETS)
    assert project.calls() == []


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_knows_how_it_is_made(target: str, project: Project) -> None:
    dry = project.make("--dry-run", target)
    assert dry.returncode == 0, dry.stderr


# --- Installing


def test_what_is_installed_is_not_installed_again(project: Project) -> None:
    assert project.make("install-dev").returncode == 0
    assert project.calls() == ["uv sync --quiet --frozen --all-extras"]
    project.make("install-dev")
    project.make("--dry-run", "run")
    assert project.calls() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_a_changed_project_is_installed_again(name: str, project: Project) -> None:
    project.make("install-dev")
    assert project.calls()
    later = time.time() + 5
    os.utime(project.folder / name, (later, later))
    project.make("install-dev")
    assert project.calls() == ["uv sync --quiet --frozen --all-extras"]


def test_serving_installs_no_tools_of_development_and_removes_none(
    project: Project,
) -> None:
    project.make("run")
    assert "uv sync --quiet --frozen --all-extras --no-dev --inexact" in project.calls()
    project.make("install-dev")
    assert project.calls() == ["uv sync --quiet --frozen --all-extras"]


@pytest.mark.parametrize("target", ["install-dev", "run"])
@pytest.mark.parametrize("damage", ["no stamp", "no python", "empty python", "a file"])
def test_a_half_made_environment_is_made_again_from_nothing(
    damage: str, target: str, project: Project
) -> None:
    project.make("install-dev")
    environment = project.folder / ".venv"
    (environment / "leftover").touch()
    hurt(environment, damage)
    assert project.make(target).returncode == 0
    assert not (environment / "leftover").exists()
    assert "uv sync" in str(project.calls())
    assert project.make(target).returncode == 0
    assert "uv sync" not in str(project.calls())


def hurt(environment: Path, damage: str) -> None:
    python = environment / "bin" / "python"
    if damage == "no stamp":
        (environment / ".runtime").unlink()
        (environment / ".development").unlink()
    elif damage == "no python":
        python.unlink()
    elif damage == "empty python":
        python.write_text("")
    else:
        shutil.rmtree(environment)
        environment.touch()


@pytest.mark.parametrize("state", ["none", "broken"])
@pytest.mark.parametrize("left", ["nothing", "a folder", "an empty uv"])
def test_uv_is_put_into_the_project_where_the_machine_has_none(
    state: str, left: str, project: Project
) -> None:
    (Path(project.environment["STANDINS"]) / "uv").unlink()
    if state == "broken":
        executable(Path(project.environment["STANDINS"]) / "uv", "#!/bin/sh\nexit 127\n")
    if left != "nothing":
        (project.folder / ".tools" / "bin" / "leftover").mkdir(parents=True)
    if left == "an empty uv":
        executable(project.folder / ".tools" / "bin" / "uv", "")
    assert project.make("install-dev").returncode == 0
    assert (project.folder / ".tools" / "bin" / "uv").read_text() == UV
    assert not (project.folder / ".tools" / "bin" / "leftover").exists()
    assert "uv sync --quiet --frozen --all-extras" in project.calls()
    assert project.make("install-dev").stdout.startswith("make: Nothing to be done")


# --- Serving


def test_run_prepares_everything_before_it_serves(project: Project) -> None:
    assert project.make("run", "PORT=9000", "HOST=0.0.0.0").returncode == 0
    steps = [call.split("REDIS_URL= ")[-1] for call in project.calls()]
    assert [step.split(" --")[0] for step in steps[1:]] == [
        "-m config.first_run write",
        "manage.py collectstatic",
        "manage.py migrate",
        "manage.py ensure_superuser",
        "-m config.first_run welcome http://localhost:9000",
        "manage.py serve",
    ]
    assert steps[-1].endswith("--host 0.0.0.0 --port 9000")


# --- Checking


@pytest.mark.parametrize(
    "check",
    [
        "ruff check .",
        "ruff format --check .",
        "mypy .",
        "lint-imports",
        "manage.py makemigrations --check --dry-run",
        "ENVIRONMENT=production",
        "manage.py check --deploy --fail-level WARNING",
        "manage.py write_openapi --check",
        "deptry .",
        "uv lock --check",
    ],
)
def test_validate_makes_every_check_and_reads_no_env_file(
    check: str, project: Project
) -> None:
    commands = project.make("--dry-run", "validate").stdout
    assert check in commands
    unguarded = [
        line
        for line in commands.replace("\\\n", "").splitlines()
        if "manage.py" in line and "ENV_FILE=/dev/null" not in line
    ]
    assert unguarded == []


# --- Testing


def suites(project: Project) -> list[str]:
    return [call for call in project.calls() if "-m pytest" in call]


def test_the_suite_runs_on_both_engines_and_ends_with_pytests_line(
    project: Project,
) -> None:
    urls = {"TEST_DATABASE_URL": "postgres://pg/x", "TEST_REDIS_URL": "redis://r/0"}
    done = project.make("test", **urls, DATABASE_URL="postgres://real", REDIS_URL="r://")
    on_sqlite, on_servers = suites(project)
    assert "DATABASE_URL= REDIS_URL= " in on_sqlite
    assert "DATABASE_URL=postgres://pg/x REDIS_URL=redis://r/0 " in on_servers
    assert "--cov" not in on_sqlite + on_servers
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "1 passed in 0.01s"


def test_without_servers_the_suite_says_why_it_runs_on_sqlite_alone(
    project: Project,
) -> None:
    done = project.make("test", NO_SERVERS="connection refused")
    assert "cannot be used: connection refused" in done.stdout
    assert len(suites(project)) == 1
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "1 passed in 0.01s"


def test_where_both_engines_are_promised_missing_servers_are_a_failure(
    project: Project,
) -> None:
    done = project.make("test", "ENGINES=required", NO_SERVERS="connection refused")
    assert done.returncode != 0
    assert "connection refused" in done.stdout
    assert suites(project) == []


def test_a_failure_on_sqlite_is_the_last_word(project: Project) -> None:
    done = project.make("test", PYTEST_EXIT="1")
    assert done.returncode != 0
    assert len(suites(project)) == 1


def test_coverage_counts_both_runs_and_is_judged_once(project: Project) -> None:
    project.make("test-cov")
    first, second = suites(project)
    assert "--cov --cov-fail-under=0" in first
    assert "--cov --cov-append" in second
    assert "fail-under" not in second


def test_arguments_reach_pytest_as_they_were_quoted(project: Project) -> None:
    project.make("test", "ARGS=tests/accounts -k 'login or out'", "SEED=7")
    for suite in suites(project):
        assert suite.endswith("--randomly-seed=7 tests/accounts -k login or out")


# --- CI


@pytest.fixture
def ci(project: Project) -> Project:
    """`.ci/run` in the project, with a stand-in for make too."""
    shutil.copytree(ROOT / ".ci", project.folder / ".ci")
    executable(
        Path(project.environment["STANDINS"]) / "make",
        '#!/bin/sh\necho "make $*" >> "$CALLS"\ntest "$1" != "$FAILS"\n',
    )
    for program in ("wrk", "chromium"):
        executable(Path(project.environment["STANDINS"]) / program, "#!/bin/sh\n")
    return project


def run_ci(project: Project, **more: str) -> int:
    return subprocess.run(  # noqa: S603  # our own script
        [project.folder / ".ci" / "run"],
        cwd="/",
        env=project.environment | more,
        check=False,
    ).returncode


def test_ci_validates_runs_the_bench_and_tests_both_engines_with_coverage(
    ci: Project,
) -> None:
    assert run_ci(ci) == 0
    assert ci.calls() == [
        "make validate",
        "make asyncapi",
        "make bench BENCH_SECONDS=1",
        "make test COVERAGE=required ENGINES=required",
    ]


@pytest.mark.parametrize("step", ["validate", "asyncapi", "bench", "test"])
def test_ci_fails_with_any_step(step: str, ci: Project) -> None:
    assert run_ci(ci, FAILS=step) != 0
    assert ci.calls()[-1].startswith(f"make {step}")
