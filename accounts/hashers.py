"""How passwords are stored: argon2id as OWASP advises, older hashes on the way out."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

import bcrypt
from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BCryptPasswordHasher,
    BCryptSHA256PasswordHasher,
)

ON_LINUX = sys.platform == "linux"
NICENESS = 10


class Argon2idHasher(Argon2PasswordHasher):
    """Cost from the settings; one lane, and a thread of its own for each core.

    Two at once on a core push each other's memory out of its cache, and each takes an
    eighth longer; and every thread that has hashed keeps the 19 MiB of it.
    """

    parallelism = 1

    def params(self) -> Any:
        self.memory_cost = settings.ARGON2_MEMORY_KIB
        self.time_cost = settings.ARGON2_PASSES
        return super().params()

    def encode(self, password: str, salt: str) -> str:
        return _threads().submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        return _threads().submit(super().verify, password, encoded).result()


@cache
def _threads() -> ThreadPoolExecutor:
    """Of this process: its share of the cores that it may run on."""
    cores = len(os.sched_getaffinity(0)) if ON_LINUX else os.cpu_count() or 1
    share = max(1, cores // settings.WEB_CONCURRENCY)
    return ThreadPoolExecutor(share, thread_name_prefix="hash", initializer=_give_way)


def _give_way() -> None:
    """On Linux a thread has a priority of its own: what waits for 20 ms of hashing can
    wait a little longer, and who only reads goes first.
    """
    if not ON_LINUX:
        return
    thread = threading.get_native_id()
    # A sandbox that forbids it must not end the thread, and every sign-in with it.
    with suppress(OSError):
        least = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(least, NICENESS))


class BcryptHasher(BCryptSHA256PasswordHasher):
    """Hashes before bcrypt, so that nothing is cut off at 72 bytes."""

    rounds = 12


class LegacyBcryptHasher(BCryptPasswordHasher):
    """Verifies plain bcrypt hashes of other systems, which saw only 72 bytes.

    The library refuses longer input since version 5, so we cut as it once did; the
    right password is hashed anew at once, by a hasher that reads all of it.
    """

    MAXIMUM_BYTES = 72

    def encode(self, password: str, salt: Any) -> str:
        cut = password.encode()[: self.MAXIMUM_BYTES]
        hashed = bcrypt.hashpw(cut, salt)
        return f"{self.algorithm}${hashed.decode('ascii')}"
