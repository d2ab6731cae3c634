"""`python -m benchmarks.baseline.seed`: the people of the stock side."""

from collections.abc import Iterator
from datetime import timedelta

import django

django.setup()

# After setup: models load with it.
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import people  # noqa: E402
from benchmarks.baseline.models import DeviceSession, User  # noqa: E402


def person(email: str, password: str) -> User:
    root = email == people.SUPERUSER
    return User(
        email=email,
        username=email,
        password=password,
        first_name="Ada",
        last_name="Lovelace",
        is_staff=root,
        is_superuser=root,
    )


def sessions(users: list[User]) -> Iterator[DeviceSession]:
    """All of the list: signing in adds none here."""
    for user in users:
        for _ in range(people.SESSIONS):
            yield DeviceSession(
                user=user,
                device_name="Firefox on Linux",
                ip_address="198.51.100.7",
                expires_at=timezone.now() + timedelta(days=7),
            )


def main() -> None:
    password = make_password(people.PASSWORD)
    emails = [people.address(number) for number in range(people.PEOPLE - 1)]
    users = [person(email, password) for email in [*emails, people.SUPERUSER]]
    User.objects.bulk_create(users)
    DeviceSession.objects.bulk_create(sessions(users[: people.LISTERS]))


if __name__ == "__main__":
    main()
