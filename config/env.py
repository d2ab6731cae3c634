"""Typed readers of the environment that say every missing or bad name at once.

A fault names the variable and what it must be, never its value.
"""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")

# Lines of a `.env` file: NAME=value, or nothing and comments.
ASSIGNMENT = re.compile(
    r"\A\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*?)\s*\Z", re.ASCII
)
NOTHING = re.compile(r"\A\s*(#.*)?\Z")
REDIS_DATABASE = re.compile(r"\A(/\d*)?\Z")
# Looked at before the library parses: it would warn with the whole URL in the text.
DATABASE_SCHEMES = {"postgres", "postgresql", "pgsql", "sqlite"}


class Environment:
    """The process environment, filled up (never overridden) from a `.env` file."""

    def __init__(self, dotenv: Path) -> None:
        self.faults: list[str] = []
        if dotenv.is_file():
            self._fill_up(dotenv)

    def _fill_up(self, dotenv: Path) -> None:
        """Line by line first: the library prints the whole of one that it cannot read."""
        good = []
        text = dotenv.read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            found = ASSIGNMENT.match(line)
            if found and "\ufffd" not in line and "\0" not in line:
                good.append(f"{found['name']}={found['value']}")
            elif not NOTHING.match(line):
                self.faults.append(f"{dotenv.name}, line {number}, is not NAME=value.")
        environ.Env.read_env(io.StringIO("\n".join(good)))

    def text(self, name: str, default: str = "") -> str:
        return os.environ.get(name, default).strip()

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        value = self.text(name) or default
        if value not in options:
            self.faults.append(f"{name} must be one of {', '.join(options)}.")
            return default
        return value

    def number(
        self, name: str, default: int, *, minimum: int = 0, maximum: int = 10**9
    ) -> int:
        def read(value: str) -> int:
            number = int(value)
            if not minimum <= number <= maximum:
                raise ValueError
            return number

        return self._read(name, read, default, f"a whole number from {minimum} up")

    def flag(self, name: str, *, default: bool) -> bool:
        words = {"1": True, "true": True, "yes": True, "on": True}
        words |= {"0": False, "false": False, "no": False, "off": False}
        return self._read(
            name, lambda value: words[value.lower()], default, "true or false"
        )

    def listing(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Comma-separated; spaces around an entry do not count."""
        text = self.text(name)
        if not text:
            return list(default)
        return [entry.strip() for entry in text.split(",") if entry.strip()]

    def some(self, name: str, choices: tuple[str, ...]) -> list[str]:
        """Those of the choices that are listed; another one is a fault."""
        chosen = self.listing(name)
        if set(chosen) - set(choices):
            self.faults.append(f"{name} must list some of {', '.join(choices)}.")
        return chosen

    def numbers(self, name: str, defaults: dict[str, int]) -> dict[str, int]:
        """The defaults, overridden by pairs such as `login=20,refresh=60`."""

        def read(value: str) -> dict[str, int]:
            pairs = (entry.partition("=") for entry in value.split(","))
            found = {key.strip(): int(number) for key, _, number in pairs}
            if found.keys() - defaults.keys() or min(found.values()) < 1:
                raise ValueError
            return defaults | found

        shape = f"pairs such as login=20, of {', '.join(sorted(defaults))}"
        return self._read(name, read, defaults, shape)

    def origin(self, name: str, default: str = "") -> str:
        """An http(s) URL of host, port and path, without a slash at its end."""
        return self._read(name, _origin, default, "an http or https URL")

    def redis(self, name: str) -> str:
        """Empty, or a URL that the client will understand."""
        return self._read(name, _redis, "", "such as redis://host:6379/0")

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's DATABASES entry, from a URL or from POSTGRES_HOST and its family."""
        if not self.text(name) and self.text("POSTGRES_HOST"):
            return {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": self.text("POSTGRES_DB") or "postgres",
                "USER": self.text("POSTGRES_USER") or "postgres",
                "PASSWORD": self.text("POSTGRES_PASSWORD"),
                "HOST": self.text("POSTGRES_HOST"),
                "PORT": self.number("POSTGRES_PORT", 5432, minimum=1, maximum=65535),
            }
        return self._read(
            name, _database, _database(default), "a postgres:// or sqlite:// URL"
        )

    def mail(self, name: str, default: str) -> dict[str, Any]:
        return self._read(
            name, _mail, _mail(default), "such as smtp://user:password@host:587"
        )

    def _read(
        self, name: str, cast: Callable[[str], Value], default: Value, shape: str
    ) -> Value:
        text = self.text(name)
        if not text:
            return default
        try:
            return cast(text)
        except (KeyError, ValueError, ImproperlyConfigured):
            self.faults.append(f"{name} must be {shape}.")
            return default


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in DATABASE_SCHEMES or "://" not in url:
        raise ValueError
    if parts.scheme != "sqlite":
        _port(parts)
    elif parts.netloc not in {"", ":memory:"}:
        raise ValueError
    entry = dict(environ.Env.db_url_config(url))
    if not entry.get("NAME"):
        raise ValueError
    return entry


def _mail(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme.startswith("smtp") and not parts.hostname:
        raise ValueError
    _port(parts)
    entry = dict(environ.Env.email_url_config(url))
    if parts.scheme == "filemail":
        # The library takes the path for a relative one.
        entry["EMAIL_FILE_PATH"] = parts.path
    return entry


def _origin(url: str) -> str:
    parts = urlsplit(url)
    odd = parts.username or parts.password or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or odd:
        raise ValueError
    if any(character.isspace() for character in url):
        raise ValueError
    _port(parts)
    return url.rstrip("/")


def _redis(url: str) -> str:
    parts = urlsplit(url)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in {"redis", "rediss", "unix"} or not place:
        raise ValueError
    if parts.scheme != "unix" and not REDIS_DATABASE.match(parts.path):
        raise ValueError
    _port(parts)
    return url


def _port(parts: SplitResult) -> None:
    """Raises ValueError, before a library does so with the URL in its text."""
    if parts.port == 0:
        raise ValueError
