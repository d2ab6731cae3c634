"""How passwords are stored: argon2id as OWASP advises, older hashes on the way out."""

from typing import Any

import bcrypt
from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BCryptPasswordHasher,
    BCryptSHA256PasswordHasher,
)


class Argon2idHasher(Argon2PasswordHasher):
    """Cost from the settings; one lane, since each sign-in has one thread."""

    parallelism = 1

    def params(self) -> Any:
        self.memory_cost = settings.ARGON2_MEMORY_KIB
        self.time_cost = settings.ARGON2_PASSES
        return super().params()


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
