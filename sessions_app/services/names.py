from typing import Any

from django.db import transaction

from audit import services as audit
from config.errors import NotFound
from sessions_app.models import Session


@transaction.atomic
def rename_session(*, session: Session, device_name: str, by: Any) -> None:
    """Raises NotFound where the session is no longer active."""
    active = Session.objects.active().filter(pk=session.pk)
    if not active.update(device_name=device_name):
        raise NotFound
    session.device_name = device_name
    audit.record("session.renamed", actor=by, target=session)
