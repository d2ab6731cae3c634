"""Who must be asked before a person leaves activity.

Higher apps add a guard in `AppConfig.ready()`. It runs inside the transaction, locks
what it decides on (in id order) and names, for each user it would hold back, why.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from config.errors import DomainError

Guard = Callable[[Sequence[UUID]], dict[UUID, DomainError]]

guards: list[Guard] = []
