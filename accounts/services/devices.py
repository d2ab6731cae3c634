"""Whether a sign-in is worth a notice."""

from accounts.models import User
from audit.models import Event
from config import context
from sessions_app.lookup import has_resembling


def is_familiar(user: User, device_id: str) -> bool:
    """Seen before in a session of this person; also the very first sign-in of all.

    Asked before the session is written.
    """
    here = context.current()
    if has_resembling(
        user_id=user.pk, device_id=device_id, agent=here.agent, address=here.address
    ):
        return True
    if user.sessions.exists():
        return False
    # None is kept of somebody who was away for long; the events still know.
    begun = Event.objects.filter(actor_id=user.pk, action="session.started")
    return not begun.exists()
