from collections.abc import Callable
from typing import Any

import argon2
import argon2.low_level
import pytest
from pytest_django.fixtures import Settings

Work = Callable[..., Any]


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each hash that the library computes, to store or to compare."""
    done: list[str] = []

    def noted(name: str, work: Work) -> Work:
        def run(*args: Any, **kwargs: Any) -> Any:
            done.append(name)
            return work(*args, **kwargs)

        return run

    for owner, name in (
        (argon2.low_level, "hash_secret"),
        (argon2.PasswordHasher, "verify"),
    ):
        monkeypatch.setattr(owner, name, noted(name, getattr(owner, name)))
    return done


@pytest.fixture
def no_rates(settings: Settings) -> None:
    """For tests that call more often than a minute allows."""
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, 100_000)
