"""One-time secrets in mails: made, found, spent.

32 random bytes, of which only the SHA-256 is stored (OWASP ASVS 5.0, 6.5.2); expiring;
dead when what they rest on changes. Opening a link spends nothing: only a POST does.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import LinkInvalid
from accounts.models import Proof, Purpose, User

CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Secret:
    """What goes into the mail and is nowhere else."""

    token: str = field(repr=False)
    code: str = field(repr=False)
    expires_at: datetime


def issue(
    user: User,
    purpose: Purpose,
    lifetime: timedelta,
    *,
    subject: str = "",
    **data: Any,
) -> Secret:
    """Replaces the one for the same purpose and subject, in one statement."""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    now = timezone.now()
    secret = Secret(secrets.token_urlsafe(32), code, now + lifetime)
    proof = Proof(
        user=user,
        purpose=purpose,
        subject=subject,
        token_digest=digest(secret.token),
        code_digest=_code_digest(user, code),
        basis=_basis(purpose, user),
        data=data,
        created_at=now,
        expires_at=secret.expires_at,
    )
    Proof.objects.bulk_create(
        [proof],
        update_conflicts=True,
        unique_fields=["user", "purpose", "subject"],
        update_fields=[
            "token_digest",
            "code_digest",
            "attempts",
            "basis",
            "data",
            "created_at",
            "expires_at",
        ],
    )
    return secret


def find(token: str, purpose: Purpose) -> Proof:
    """Spends nothing. Raises LinkInvalid, whatever is wrong with it."""
    proof = (
        Proof.objects.open()
        .filter(token_digest=digest(token), purpose=purpose)
        .select_related("user")
        .first()
    )
    if proof is None or not _stands(proof, proof.user):
        raise LinkInvalid
    return proof


def find_by_code(user: User | None, code: str, purpose: Purpose) -> Proof:
    """Of a few tries one may be right: a code is short. Raises LinkInvalid."""
    if user is None:
        raise LinkInvalid
    mine = Proof.objects.open().of(user.pk).filter(purpose=purpose, subject="")
    tried = mine.filter(attempts__lt=settings.CODE_ATTEMPTS)
    # Counted before it is compared, so that many at once cannot all slip through.
    if not tried.update(attempts=F("attempts") + 1):
        raise LinkInvalid
    proof = mine.first()
    if proof is None or not constant_time_compare(
        proof.code_digest, _code_digest(user, code)
    ):
        raise LinkInvalid
    return proof


def spend(proof: Proof) -> User:
    """Whose it is, locked; in a transaction. Of any number at once, one gets through.

    Raises LinkInvalid.
    """
    user = User.objects.existing().filter(pk=proof.user_id).locked().first()
    same = Proof.objects.open().filter(pk=proof.pk, token_digest=proof.token_digest)
    spent, _ = same.delete()
    if user is None or not spent or not _stands(proof, user):
        raise LinkInvalid
    return user


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def purge_proofs() -> int:
    """Deletes those that have run out; how many."""
    number, _ = Proof.objects.past().delete()
    return number


def _stands(proof: Proof, user: User) -> bool:
    return user.is_active and proof.basis == _basis(Purpose(proof.purpose), user)


def _basis(purpose: Purpose, user: User) -> str:
    """What must still be so when it is spent."""
    rests_on = {
        Purpose.RESET: [user.email_key, user.password],
        Purpose.VERIFY: [user.email_key],
        Purpose.ADDRESS: [user.email_key, user.password],
        # The way back must outlive whatever a thief does next.
        Purpose.RETURN_ADDRESS: [],
        Purpose.DISOWN: [user.email_key],
        Purpose.STAY: [str(user.leaving_since)],
    }
    return digest("\0".join([str(user.pk), *rests_on[purpose]]))


def _code_digest(user: User, code: str) -> str:
    """Keyed: a million codes are soon tried against a bare digest."""
    named = f"{user.pk}:{code}"
    return salted_hmac("accounts.codes", named, algorithm="sha256").hexdigest()
