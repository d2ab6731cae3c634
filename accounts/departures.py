"""Who must be asked before a person leaves activity, and who forgets one in the end.

Higher apps add to these in `AppConfig.ready()`.

What is at stake where people go (rows of another app) is locked before the people are,
so that the guards decide on what stands still. A guard names, for each user that it would
hold back, why. A farewell runs where a person is anonymised, and still has a name.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from config.errors import DomainError

Stakes = Callable[[Sequence[UUID]], QuerySet[Any]]
Guard = Callable[[Sequence[UUID]], dict[UUID, DomainError]]
Farewell = Callable[[User], None]

stakes: list[Stakes] = []
guards: list[Guard] = []
farewells: list[Farewell] = []
