"""Who must be asked before a person leaves activity, and who forgets one in the end.

Higher apps add to these in `AppConfig.ready()`. A guard runs inside the transaction,
locks what it decides on (in id order) and names, for each user it would hold back, why.
A farewell runs inside the one that anonymises, while the person still has a name.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from accounts.models import User
from config.errors import DomainError

Guard = Callable[[Sequence[UUID]], dict[UUID, DomainError]]
Farewell = Callable[[User], None]

guards: list[Guard] = []
farewells: list[Farewell] = []
