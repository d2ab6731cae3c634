"""What the OpenAPI document shows of requests and answers."""

from typing import Any

PASSWORD = "plum otter canvas meadow"  # noqa: S105  # of the documents only

USER: dict[str, Any] = {
    "id": "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone_number": "+390212345678",
    "is_active": True,
    "is_superuser": False,
    "locale": "en",
    "email_verified": True,
    "preferences": {"theme": "dark"},
    "created_at": "2026-11-23T09:30:00Z",
    "updated_at": None,
}
TOKEN: dict[str, Any] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsImtpZCI6…",
    "refresh_token": "eyJhbGciOiJIUzI1NiIsImtpZCI6…",
    "token_type": "bearer",
    "expires_in": 900,
    "user": USER,
}
REGISTRATION = {
    "email": "ada@example.com",
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Lovelace",
}
