"""What the OpenAPI document shows of requests and answers."""

from typing import Any

ORGANIZATION: dict[str, Any] = {
    "id": "01936f2e-9b02-7d41-8a6e-2f9c0b7d5e13",
    "name": "Analytical Engines",
    "slug": "analytical-engines",
    "description": "We weave algebraical patterns.",
    "is_active": True,
    "settings": {"week_starts": "monday"},
    "created_at": "2026-11-23T09:30:00Z",
    "updated_at": None,
    "member_count": 2,
    "my_role": "owner",
}
MEMBER: dict[str, Any] = {
    "user_id": "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "role": "owner",
    "is_active": True,
    "joined_at": "2026-11-23T09:30:00Z",
}
INVITATION: dict[str, Any] = {
    "id": "01936f30-11c8-7f0a-b7d2-64c1a9e3f58b",
    "email": "grace@example.com",
    "role": "member",
    "status": "open",
    "invited_by": {"user_id": MEMBER["user_id"], "email": MEMBER["email"]},
    "created_at": "2026-11-23T09:40:00Z",
    "expires_at": "2026-11-30T09:40:00Z",
}
