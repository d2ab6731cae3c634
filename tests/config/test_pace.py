"""Large bodies begin one after the other, and hold up nobody else."""

import asyncio
from typing import Any

import pytest

from config.asgi_types import Receive, Scope, Send
from config.edge import Edge
from config.pace import BULKY_BYTES, SPACING_SECONDS, Pace, declares_bulk
from tests.client import InProcess
from tests.config.exchanges import END, Exchange, part, scope
from tests.config.refusals import refused
from tests.conftest import SignIn

BULKY = {b"content-length": str(BULKY_BYTES + 1)}
SMALL = {b"content-length": str(BULKY_BYTES)}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept, in seconds; time stands still meanwhile."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


@pytest.mark.parametrize(
    ("headers", "bulky"),
    [
        ({}, False),
        ({b"content-length": "0"}, False),
        (SMALL, False),
        (BULKY, True),
        ({b"content-length": "9" * 12}, True),
        ({b"content-length": "9" * 5000}, True),
        ({b"content-length": "0" * 5000}, False),
        ({b"content-length": "-70000"}, False),
        ({b"content-length": "70000,70000"}, False),
        ({b"content-length": "\u0667" * 6}, False),
        ({b"content-length": ""}, False),
        ({b"transfer-encoding": "chunked"}, False),
    ],
)
def test_a_body_is_bulky_by_the_length_that_it_declares(
    headers: dict[bytes, str], bulky: bool
) -> None:
    assert declares_bulk(headers) is bulky


async def test_who_comes_alone_does_not_wait(waits: list[float]) -> None:
    own = Pace()
    await own.keep()
    own.free_at -= SPACING_SECONDS
    await own.keep()
    assert waits == pytest.approx([0, 0], abs=SPACING_SECONDS / 2)


async def test_several_at_once_begin_one_after_the_other(waits: list[float]) -> None:
    own = Pace()
    for _ in range(4):
        await own.keep()
    expected = [number * SPACING_SECONDS for number in range(4)]
    assert waits == pytest.approx(expected, abs=SPACING_SECONDS / 2)


@pytest.mark.parametrize(
    ("pieces", "paced"),
    [
        ([b"x" * BULKY_BYTES], 0),
        ([b"x"] * 50, 0),
        ([b"x" * BULKY_BYTES, b"x"], 1),
        ([b"x" * BULKY_BYTES] * 5, 1),
    ],
)
async def test_a_body_without_a_length_waits_once_it_shows_what_it_is(
    waits: list[float], pieces: list[bytes], paced: int
) -> None:
    async def reading(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    sent = scope("POST", "/", (b"transfer-encoding", b"chunked"))
    answer = await Exchange([*map(part, pieces), END]).ask(Edge(reading), sent)
    assert answer.status_code == 204
    assert len(waits) == paced


def test_beyond_the_deadline_of_the_queue_they_are_sent_away(
    api: SignIn, in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge: Any = in_process.application
    monkeypatch.setattr(edge.pace, "free_at", float("inf"))
    answer = api().post("/auth/login", {"email": "x" * BULKY_BYTES, "password": "x"})
    refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    small = api().post("/auth/login", {"email": "x", "password": "x"})
    assert small.status_code != 503
