"""What is in the outbox, as its reader will see it."""

from typing import Any

from outbox.models import Mail
from outbox.sealing import unseal


def mails(kind: str = "", *, to: str = "") -> list[Mail]:
    """Oldest first; of this kind (of accounts, where it names no app), to this address,
    where given.
    """
    rows = Mail.objects.order_by("pk")
    if kind:
        rows = rows.filter(kind=kind if "." in kind else f"accounts.{kind}")
    if to:
        rows = rows.filter(recipient=to)
    return list(rows)


def contents(kind: str, *, to: str = "") -> dict[str, Any]:
    """What the newest of them says."""
    return unseal(mails(kind, to=to)[-1].sealed)


def token(kind: str, *, to: str = "") -> str:
    """Of the link in the newest of them."""
    link: str = contents(kind, to=to)["link"]
    return link.partition("#token=")[2]
