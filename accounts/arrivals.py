"""Who takes in a person that registers with an invitation.

Higher apps add a host in `AppConfig.ready()`. It runs inside the transaction that writes
the account, and raises where the invitation is not good for this person.
"""

from collections.abc import Callable

from accounts.models import User

hosts: list[Callable[[User, str], None]] = []
