"""From what is kept to what is sent. Templates: <app>/mail/<language>/<name>.*"""

import re
from email.utils import parseaddr
from typing import Any

import idna
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.dateparse import parse_datetime

from outbox.models import Mail
from outbox.sealing import unseal

# Given as ISO 8601, shown as the language has it.
MOMENTS = ("at", "until")
# They turn round what stands beside a name, an address for instance; no name needs them.
TURNING = re.compile("[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")


def render(mail: Mail) -> EmailMultiAlternatives:
    """Raises what a faulty template raises, and InvalidToken."""
    language = language_of(mail.locale)
    context = _context(unseal(mail.sealed)) | {"language": language}
    with translation.override(language):
        subject = _part(mail.kind, language, "subject.txt", context)
        text = _part(mail.kind, language, "txt", context)
        html = _part(mail.kind, language, "html", context)
    message = EmailMultiAlternatives(
        # Whatever a name holds, a subject is one line.
        " ".join(subject.split()),
        text,
        to=[_deliverable(mail.recipient)],
        headers={"Message-ID": _message_id(mail), "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(html, "text/html")
    return message


def language_of(locale: str) -> str:
    """The language configured for it, else the default one."""
    try:
        return translation.get_supported_language_variant(locale)
    except LookupError:
        return settings.LANGUAGE_CODE


def _deliverable(recipient: str) -> str:
    """With the domain as accounts compare it (IDNA 2008, UTS 46). Django would take IDNA
    2003, in which a sharp s is two: the mail would reach the owner of another domain.
    """
    local, _, domain = recipient.rpartition("@")
    if domain.isascii():
        return recipient
    return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"


def _part(kind: str, language: str, ending: str, context: dict[str, Any]) -> str:
    app, _, name = kind.partition(".")
    wanted = dict.fromkeys([language, settings.LANGUAGE_CODE])
    paths = [f"{app}/mail/{chosen}/{name}.{ending}" for chosen in wanted]
    return render_to_string(paths, context)


def _context(data: dict[str, Any]) -> dict[str, Any]:
    moments = {name: parse_datetime(data[name]) for name in MOMENTS if data.get(name)}
    said = {k: TURNING.sub("", v) if isinstance(v, str) else v for k, v in data.items()}
    return {"product": settings.PRODUCT_NAME} | said | moments


def _message_id(mail: Mail) -> str:
    """The same at each attempt: who gets it twice can tell."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{mail.pk}@{domain or 'localhost'}>"
