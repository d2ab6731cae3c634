"""Large bodies begin one after the other, and hold up nobody else."""

import asyncio
from typing import Any

import pytest

from config.pace import BULKY_BYTES, SPACING_SECONDS, Pace, may_be_bulky
from tests.client import InProcess
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
        ({b"transfer-encoding": "chunked"}, True),
        ({b"transfer-encoding": "chunked", b"content-length": "1"}, True),
    ],
)
def test_a_body_is_bulky_by_what_its_head_tells(
    headers: dict[bytes, str], bulky: bool
) -> None:
    assert may_be_bulky(headers) is bulky


async def test_who_comes_alone_does_not_wait(waits: list[float]) -> None:
    own = Pace()
    await own.keep(BULKY)
    own.free_at -= SPACING_SECONDS
    await own.keep(BULKY)
    assert waits == pytest.approx([0, 0], abs=SPACING_SECONDS / 2)


async def test_several_at_once_begin_one_after_the_other(waits: list[float]) -> None:
    own = Pace()
    for _ in range(4):
        await own.keep(BULKY)
    expected = [number * SPACING_SECONDS for number in range(4)]
    assert waits == pytest.approx(expected, abs=SPACING_SECONDS / 2)


async def test_small_ones_pass_those_that_wait(waits: list[float]) -> None:
    own = Pace()
    own.free_at = asyncio.get_running_loop().time() + 3
    await own.keep(SMALL)
    await own.keep({})
    assert waits == []


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
