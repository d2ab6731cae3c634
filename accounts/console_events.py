"""Django tells of sign-ins to the console by signals; they are recorded like others."""

import time
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from audit import services as audit

ENTERED_AT = "entered_at"


def listen() -> None:
    user_logged_in.connect(signed_in, dispatch_uid="console.signed_in")
    user_logged_out.connect(signed_out, dispatch_uid="console.signed_out")


def signed_in(request: HttpRequest, user: Any, **_: Any) -> None:
    request.session[ENTERED_AT] = time.time()
    audit.record("console.signed_in", actor=user, target=user)


def signed_out(user: Any, **_: Any) -> None:
    if user is not None:
        audit.record("console.signed_out", actor=user, target=user)
