from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password

from accounts.models import User

PASSWORD = "correct horse battery staple"  # noqa: S105  # of the cast of the tests


@cache
def hashed(password: str) -> str:
    """Hashed once: twenty milliseconds each would be most of the suite."""
    return make_password(password)


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda number: f"person{number}@example.com")
    first_name = factory.Sequence(lambda number: f"Person{number}")
    password = factory.LazyFunction(lambda: hashed(PASSWORD))


def make_superuser(**fields: Any) -> User:
    return UserFactory.create(is_superuser=True, is_staff=True, **fields)
