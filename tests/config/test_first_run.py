"""What somebody gets who configures nothing, and finds who configures something."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests import servers

EXAMPLE = servers.ROOT / ".env.example"
NAME = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
READ = re.compile(r"(?:env|self)\.[a-z_]+\(\s*\"([A-Z][A-Z0-9_]+)\"")


def unconfigured(**more: str) -> dict[str, str]:
    """This process's environment without any setting of ours."""
    names = {name for name, _ in NAME.findall(EXAMPLE.read_text())}
    kept = {key: value for key, value in os.environ.items() if key not in names}
    return kept | {"DJANGO_SETTINGS_MODULE": "config.settings"} | more


def first_run(*arguments: str, file: Path, **more: str) -> str:
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "config.first_run", *arguments],
        cwd=servers.ROOT,
        env=unconfigured(ENV_FILE=str(file), **more),
        capture_output=True,
        text=True,
        check=True,
        umask=0,
    ).stdout


def values(file: Path) -> dict[str, str]:
    return dict(NAME.findall(file.read_text()))


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_the_first_run_says_where_it_wrote_what_only_the_owner_reads(
    dotenv: Path,
) -> None:
    said = first_run("write", file=dotenv)
    assert str(dotenv) in said
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    assert values(dotenv)["ENVIRONMENT"] == "development"
    assert not any(secret in said for secret in secrets_in(dotenv))


def test_an_existing_file_is_never_touched(dotenv: Path) -> None:
    dotenv.write_text("SECRET_KEY=mine\n")
    assert str(dotenv) in first_run("write", file=dotenv)
    assert dotenv.read_text() == "SECRET_KEY=mine\n"


def test_no_two_first_runs_share_a_secret(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        first_run("write", file=file)
    found = [secret for file in files for secret in secrets_in(file)]
    assert len(found) == len(set(found)) == 6


def secrets_in(file: Path) -> list[str]:
    names = "SECRET_KEY", "JWT_SIGNING_KEYS", "FIRST_SUPERUSER_PASSWORD"
    return [values(file)[name] for name in names]


def test_what_the_first_run_wrote_is_enough_to_sign_a_superuser_in(
    dotenv: Path, tmp_path: Path
) -> None:
    first_run("write", file=dotenv)
    environment = unconfigured(
        ENV_FILE=str(dotenv), DATABASE_URL=f"sqlite:///{tmp_path / 'first.sqlite3'}"
    )
    servers.manage("migrate", environment=environment)
    said = servers.manage("ensure_superuser", environment=environment)
    assert "Superuser made." in said
    again = servers.manage("ensure_superuser", environment=environment)
    assert again == "The superuser is there.\n"


def test_the_welcome_says_what_is_where_and_who_can_log_in(dotenv: Path) -> None:
    first_run("write", file=dotenv)
    said = first_run("welcome", "http://localhost:9000", file=dotenv)
    for part in ("/api/v1", "/docs", "/redoc", "/admin/"):
        assert f"http://localhost:9000{part}" in said
    assert "admin@example.com" in said
    assert str(dotenv) in said
    assert not any(secret in said for secret in secrets_in(dotenv))


def test_the_welcome_follows_what_the_owner_changed(dotenv: Path) -> None:
    dotenv.write_text("ADMIN_PATH=office/\nFIRST_SUPERUSER_EMAIL=me@example.com\n")
    said = first_run("welcome", "http://localhost:8000", file=dotenv)
    assert "http://localhost:8000/office/" in said
    assert "me@example.com" in said


def test_the_welcome_names_no_console_and_nobody_where_there_is_none(
    dotenv: Path,
) -> None:
    said = first_run("welcome", "http://localhost:8000", file=dotenv, ADMIN_PATH="")
    assert "off (ADMIN_PATH is empty)" in said
    assert "nobody yet" in said


def test_the_example_explains_exactly_the_names_that_settings_read() -> None:
    sources = [servers.ROOT / "config" / name for name in ("settings.py", "env.py")]
    read = {name for source in sources for name in READ.findall(source.read_text())}
    explained = [name for name, _ in NAME.findall(EXAMPLE.read_text())]
    assert sorted(explained) == sorted(read)


def test_each_name_of_the_example_stands_below_a_comment() -> None:
    for paragraph in EXAMPLE.read_text().split("\n\n"):
        if NAME.search(paragraph):
            assert re.match(r"(# .+\n)+#?[A-Z]", paragraph), paragraph


@pytest.mark.parametrize("database", ["", "postgres://nobody@127.0.0.1/nothing"])
def test_the_example_states_the_true_defaults(database: str, dotenv: Path) -> None:
    dotenv.write_text(re.sub(r"^#(?=[A-Z])", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    key = "0123456789abcdefghijklmnopqrstuvwxyz"

    def settings(file: str) -> str:
        environment = unconfigured(
            ENV_FILE=file,
            ENVIRONMENT="development",
            SECRET_KEY=key,
            DATABASE_URL=database,
        )
        return servers.manage("diffsettings", "--all", environment=environment)

    assert settings(str(dotenv)) == settings(os.devnull)


# checks 199
@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_the_key_of_the_example_is_refused_without_being_told(environment: str) -> None:
    key = values(EXAMPLE)["SECRET_KEY"]
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        servers.manage(
            "check",
            environment=unconfigured(ENV_FILE=str(EXAMPLE), ENVIRONMENT=environment),
        )
    assert "SECRET_KEY is an example, not a secret." in refusal.value.stderr
    assert key not in refusal.value.stderr + refusal.value.stdout
