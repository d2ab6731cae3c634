"""`python -m benchmarks.seed`: the people of our side."""

import secrets
from collections.abc import Iterator

import django

django.setup()

# After setup: models load with it.
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.addresses import email_key  # noqa: E402
from accounts.models import User  # noqa: E402
from benchmarks import people  # noqa: E402
from sessions_app import tokens  # noqa: E402
from sessions_app.models import Session, absolute_end, idle_end  # noqa: E402


def person(email: str, password: str) -> User:
    root = email == people.SUPERUSER
    return User(
        email=email,
        email_key=email_key(email),
        password=password,
        first_name="Ada",
        last_name="Lovelace",
        is_staff=root,
        is_superuser=root,
    )


def sessions(users: list[User]) -> Iterator[Session]:
    """One fewer than the list has: the one that signs in to read it is on it."""
    now = timezone.now()
    for user in users:
        for _ in range(people.SESSIONS - 1):
            yield Session(
                user=user,
                epoch=user.session_epoch,
                refresh_digest=tokens.digest(secrets.token_urlsafe(24)),
                refresh_kid=tokens.keyring().signing.kid,
                rotated_at=now,
                expires_at=idle_end(now),
                absolute_expires_at=absolute_end(now),
                ip_address="198.51.100.7",
                device_name="Firefox on Linux",
            )


def main() -> None:
    password = make_password(people.PASSWORD)
    emails = [people.address(number) for number in range(people.PEOPLE - 1)]
    users = [person(email, password) for email in [*emails, people.SUPERUSER]]
    User.objects.bulk_create(users)
    Session.objects.bulk_create(sessions(users[: people.LISTERS]))


if __name__ == "__main__":
    main()
