"""Where the console is, is a setting: it moves, or there is none (checks 224)."""

import json

import pytest

from tests.config.environments import DEVELOPMENT, run

# In a process of its own: addresses are made once, from the environment.
ASK = """
import django, json
django.setup()
from django.test import Client
client = Client(headers={"host": "localhost"})
paths = ("admin", "admin/", "admin/login/", "admin/accounts/user/", "ops/room/login/")
print(json.dumps({path: client.get(f"/{path}").status_code for path in paths}))
"""


def asked(path: str) -> dict[str, int]:
    environment = {**DEVELOPMENT, "ADMIN_PATH": path, "LOG_LEVEL": "CRITICAL"}
    done = run("-c", ASK, environment=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("path", "there"), [("ops/room/", 200), ("", 404)])
def test_the_console_is_where_it_was_put_and_nowhere_else(path: str, there: int) -> None:
    statuses = asked(path)
    assert statuses.pop("ops/room/login/") == there
    assert set(statuses.values()) == {404}


def test_it_is_under_admin_unless_told_otherwise() -> None:
    done = run("-c", ASK, environment=DEVELOPMENT)
    statuses = json.loads(done.stdout.splitlines()[-1])
    assert statuses["admin/login/"] == 200
    assert (statuses["admin"], statuses["admin/"]) == (302, 302)
    assert statuses["ops/room/login/"] == 404
