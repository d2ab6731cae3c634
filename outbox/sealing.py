"""What a mail says may hold a link that opens an account: at rest it is encrypted.

With a key derived from SECRET_KEY, so that a copy of the database alone opens nothing
(OWASP ASVS 5.0, 6.5.2). After a change of that key, what still waits cannot be read.
"""

import base64
import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.crypto import salted_hmac


def seal(data: dict[str, Any]) -> str:
    text = json.dumps(data, cls=DjangoJSONEncoder)
    return _box(settings.SECRET_KEY).encrypt(text.encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Raises cryptography.fernet.InvalidToken where another key sealed it."""
    text = _box(settings.SECRET_KEY).decrypt(sealed.encode())
    found: dict[str, Any] = json.loads(text)
    return found


@lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    derived = salted_hmac("outbox", "sealing", secret=secret_key, algorithm="sha256")
    return Fernet(base64.urlsafe_b64encode(derived.digest()))
