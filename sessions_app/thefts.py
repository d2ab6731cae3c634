"""Who wants to know that a refresh token was reused.

Higher apps add a function in `AppConfig.ready()`. It runs in the transaction that ends
the session, which carries its user.
"""

from collections.abc import Callable

from sessions_app.models import Session

listeners: list[Callable[[Session], None]] = []
