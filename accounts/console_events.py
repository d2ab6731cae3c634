"""Django tells of sign-ins to the console by signals; they are recorded like others."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out

from audit import services as audit


def listen() -> None:
    user_logged_in.connect(signed_in, dispatch_uid="console.signed_in")
    user_logged_out.connect(signed_out, dispatch_uid="console.signed_out")


def signed_in(user: Any, **_: Any) -> None:
    audit.record("console.signed_in", actor=user, target=user)


def signed_out(user: Any, **_: Any) -> None:
    if user is not None:
        audit.record("console.signed_out", actor=user, target=user)
