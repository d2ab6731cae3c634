"""Mail addresses: kept as typed, compared by a key."""

import unicodedata

import idna
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

MAXIMUM_LENGTH = 254
MAXIMUM_KEY_LENGTH = 320


def same_mailbox(one: str, other: str) -> bool:
    """Whether who reads the mail of one reads that of the other. The key is no proof of
    it: a look-alike of another alphabet can have the same.
    """
    local, other_local = one.rpartition("@")[0], other.rpartition("@")[0]
    alike = _lower(local) == _lower(other_local)
    return alike and email_key(one) == email_key(other)


def _lower(local: str) -> str:
    """ASCII alone: to Unicode the Kelvin sign is a k as well."""
    return "".join(c.lower() if c.isascii() else c for c in local)


def email_key(address: str) -> str:
    """What makes two spellings one account: local part NFKC and case-folded, domain
    through IDNA (UTS 46). Raises ValidationError for what is no address.

    Lower-casing alone let a look-alike reset another's password (CVE-2019-19844).
    """
    if len(address) > MAXIMUM_LENGTH or not address.isprintable():
        raise ValidationError("Enter a valid email address.", code="invalid")
    validate_email(address)
    local, _, domain = address.rpartition("@")
    try:
        folded_domain = idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as exc:
        raise ValidationError("Enter a valid email address.", code="invalid") from exc
    key = f"{unicodedata.normalize('NFKC', local).casefold()}@{folded_domain}"
    if len(key) > MAXIMUM_KEY_LENGTH:
        raise ValidationError("Enter a valid email address.", code="invalid")
    return key
