"""The one form in which everything here says no."""

import re
from typing import Any

import httpx

from config import errors
from config.api.problems import FIELD_CODES

MEMBERS = {"type", "title", "status", "detail", "instance", "success", "errors"}
# Names, paths and words of the inside that no refusal may carry.
INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|SELECT |INSERT |UPDATE |django|psycopg|sqlite|uvicorn"
)


def refused(
    answer: httpx.Response, status: int, code: str | None = None
) -> dict[str, Any]:
    """The problem document of an answer, checked for all that every one must have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert body.keys() >= MEMBERS
    assert (body["status"], body["success"]) == (status, False)
    assert body["instance"] == f"urn:uuid:{answer.headers['X-Request-ID']}"
    word = body["type"].removeprefix("/docs/errors#")
    assert code in {None, word}
    assert word in {reason.code for reason in errors.catalogue()}
    assert body["errors"]
    for fault in body["errors"]:
        assert fault.keys() == {"code", "message", "field"}
        assert fault["code"] in ({word} if fault["field"] is None else FIELD_CODES)
    assert not INSIDE.search(answer.text)
    return body


def fields(answer: httpx.Response) -> list[str]:
    """What a refused input names, in order."""
    return sorted(fault["field"] for fault in refused(answer, 422)["errors"])
