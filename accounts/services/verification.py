"""Whether an address is the person's: shown by a link or a code that was mailed to it."""

from django.db import transaction
from django.utils import timezone

from accounts import mail, proofs
from accounts.addresses import email_key
from accounts.errors import LinkInvalid
from accounts.models import Proof, Purpose, User
from accounts.services.posting import may_mail
from audit import services as audit
from audit.models import Outcome


def verify_email(*, token: str = "", email: str = "", code: str = "") -> None:
    """By the token of the link; without one, by address and code, of which each mail
    gives CODE_ATTEMPTS. Raises LinkInvalid, ValidationError for what is no address.
    """
    if token:
        _verify(proofs.find(token, Purpose.VERIFY))
    else:
        user = User.objects.existing().filter(email_key=email_key(email)).first()
        _verify(_find_by_code(user, code))


def _find_by_code(user: User | None, code: str) -> Proof:
    """A wrong one is remembered before it is refused: somebody may be guessing."""
    try:
        return proofs.find_by_code(user, code, Purpose.VERIFY)
    except LinkInvalid:
        audit.record("email.code_refused", target=user, outcome=Outcome.FAILURE)
        raise


@transaction.atomic
def _verify(proof: Proof) -> None:
    user = proofs.spend(proof)
    now = timezone.now()
    User.objects.filter(pk=user.pk).update(email_verified=True, updated_at=now)
    audit.record("email.verified", actor=user, target=user)


@transaction.atomic
def resend_verification(*, email: str) -> None:
    """To an account that needs it; says nothing either way. Raises ValidationError."""
    key = email_key(email)
    allowed = may_mail("verification", key)
    people = User.objects.existing().filter(email_key=key, is_active=True)
    user = people.filter(email_verified=False).first() if allowed else None
    if user:
        mail.queue_verification(user)
    # An unknown address commits a row as well: it takes as long.
    outcome = Outcome.SUCCESS if user else Outcome.FAILURE
    audit.record("email.verification_requested", target=user, outcome=outcome)
