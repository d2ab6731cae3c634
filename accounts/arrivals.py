"""Who takes in a person that registers with an invitation.

Higher apps add a host in `AppConfig.ready()`. It is asked inside the transaction, before
the account is written: it locks what it needs and raises where the invitation is not good
for this address, whether or not that has an account. What it returns takes the person in.
"""

from collections.abc import Callable

from accounts.models import User

TakeIn = Callable[[User], None]
Host = Callable[[str, str], TakeIn]

hosts: list[Host] = []
