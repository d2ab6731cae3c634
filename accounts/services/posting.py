"""How much mail anybody may cause to an address."""

from django.conf import settings

from limits import rates


def may_mail(reason: str, email_key: str) -> bool:
    """Counts one; beyond MAILS_PER_ADDRESS it is not sent, and nobody is told."""
    return rates.allows(f"mail:{reason}", email_key, settings.MAILS_PER_ADDRESS)
