"""Whether an address is the person's: shown by a link or a code that was mailed to it."""

from django.db import transaction
from django.utils import timezone

from accounts import mail, proofs
from accounts.addresses import email_key
from accounts.models import Proof, Purpose, User
from accounts.services.posting import may_mail
from audit import services as audit


def verify_email(*, token: str = "", email: str = "", code: str = "") -> None:
    """By the token of the link; without one, by address and code, of which each mail
    gives CODE_ATTEMPTS. Raises LinkInvalid, ValidationError for what is no address.
    """
    if token:
        _verify(proofs.find(token, Purpose.VERIFY))
    else:
        user = User.objects.existing().filter(email_key=email_key(email)).first()
        _verify(proofs.find_by_code(user, code, Purpose.VERIFY))


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
    user = people.filter(email_verified=False).first()
    if user and allowed:
        mail.queue_verification(user)
