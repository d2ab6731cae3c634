from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from factory.declarations import LazyFunction, Sequence
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "correct horse battery staple"


def hashed(password: str) -> str:
    """Hashed once: twenty milliseconds each would be most of the suite."""
    return _hashed(password, settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES)


@cache
def _hashed(password: str, *cost: int) -> str:
    """For each cost: what is cheaper is hashed anew when somebody signs in."""
    return make_password(password)


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = Sequence(lambda number: f"person{number}@example.com")
    first_name = Sequence(lambda number: f"Person{number}")
    password = LazyFunction(lambda: hashed(PASSWORD))


def make_superuser(**fields: Any) -> User:
    return UserFactory.create(is_superuser=True, is_staff=True, **fields)
