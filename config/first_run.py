"""What `make run` says and writes for somebody who has configured nothing.

Reads no settings: before `.env` is there, they would refuse. Run it as
`python -m config.first_run write`, and as `… welcome <url>` before the server starts.
"""

import os
import secrets
import sys
from argparse import ArgumentParser
from pathlib import Path

from config.env import Environment

ENV_FILE = Path(
    os.environ.get("ENV_FILE", Path(__file__).resolve().parent.parent / ".env")
)
TEMPLATE = """\
# Written once by the first run, for development on this machine; yours to edit.
# .env.example explains these names and all others.
ENVIRONMENT=development
SECRET_KEY={secret_key}
JWT_SIGNING_KEYS={signing_key}
FIRST_SUPERUSER_EMAIL=admin@example.com
FIRST_SUPERUSER_PASSWORD={password}
"""
WELCOME = """
  API        {url}/api/v1
  API docs   {url}/docs and {url}/redoc
  Console    {console}
  Log in as  {email}, the password is in {file}
"""


def write(path: Path) -> bool:
    """Whether there was none: an existing file is never touched."""
    try:
        # With its mode from the first moment: nobody else reads it even for an instant.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(
            TEMPLATE.format(
                secret_key=secrets.token_urlsafe(48),
                signing_key=secrets.token_urlsafe(48),
                password=secrets.token_urlsafe(18),
            )
        )
    return True


def welcome(path: Path, url: str) -> str:
    env = Environment(path)
    console = env.text("ADMIN_PATH", "admin/").lstrip("/")
    return WELCOME.format(
        url=url,
        console=f"{url}/{console}" if console else "off (ADMIN_PATH is empty)",
        email=env.text("FIRST_SUPERUSER_EMAIL") or "nobody yet (FIRST_SUPERUSER_EMAIL)",
        file=path,
    )


def parser() -> ArgumentParser:
    found = ArgumentParser(prog="python -m config.first_run", description=__doc__)
    commands = found.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write .env, unless it is there")
    commands.add_parser("welcome", help="say what is where").add_argument("url")
    return found


def main(arguments: list[str]) -> str:
    chosen = parser().parse_args(arguments)
    if chosen.command == "welcome":
        return welcome(ENV_FILE, chosen.url)
    written = write(ENV_FILE)
    return f"Wrote {ENV_FILE}." if written else f"{ENV_FILE} is there."


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
