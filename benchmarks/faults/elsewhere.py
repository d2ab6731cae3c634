"""Crowds of clients in a process of their own."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

# They stand for other machines: what they do must not keep a server from a core.
NICENESS = 10
LOOK_SECONDS = 0.1

Given = ParamSpec("Given")
Found = TypeVar("Found")


def elsewhere(
    watch: Callable[[], float],
    work: Callable[Given, Found],
    *given: Given.args,
    **named: Given.kwargs,
) -> tuple[Found, float]:
    """What the work found, and the most that was seen on watch meanwhile."""
    most = watch()
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(NICENESS,)
    ) as pool:
        future = pool.submit(work, *given, **named)
        while not future.done():
            try:
                future.exception(LOOK_SECONDS)
            except TimeoutError:
                most = max(most, watch())
    return future.result(), most
