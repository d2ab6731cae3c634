"""Back into an account whose password is lost, or known to somebody else."""

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import mail, proofs
from accounts.addresses import email_key
from accounts.models import Purpose, User
from accounts.passwords import check_password_rules
from accounts.services.leaving import come_back
from accounts.services.posting import may_mail
from audit import services as audit
from audit.models import Outcome
from sessions_app.models import EndReason
from sessions_app.services import end_all_of


@transaction.atomic
def request_password_reset(*, email: str) -> None:
    """Mails a link, if there is an account; says nothing either way.

    Beyond MAILS_PER_ADDRESS nothing is mailed, known or not. Raises ValidationError for
    what is no address.
    """
    key = email_key(email)
    allowed = may_mail("password_reset", key)
    user = User.objects.existing().filter(email_key=key, is_active=True).first()
    asked = user if allowed else None
    if asked:
        mail.queue_password_reset(asked)
    # An unknown address commits a row as well: it takes as long.
    outcome = Outcome.SUCCESS if asked else Outcome.FAILURE
    audit.record("password.reset_requested", target=user, outcome=outcome)


def reset_password(*, token: str, new_password: str) -> None:
    """Every session ends, nobody is signed in, failed attempts are forgotten.

    Raises LinkInvalid, ValidationFailed; a refused password does not spend the link.
    """
    proof = proofs.find(token, Purpose.RESET)
    check_password_rules(new_password, user=proof.user, field="new_password")
    encoded = make_password(new_password)
    with transaction.atomic():
        user = proofs.spend(proof)
        # Whoever has the link reads the mail of this address.
        _store_password(user, encoded, email_verified=True)
        end_all_of([user.pk], reason=EndReason.PASSWORD, by=user)
        audit.record("password.reset", actor=user, target=user)
        mail.notify_password_changed(user)


@transaction.atomic
def disown(*, token: str) -> None:
    """Nobody is in any more, no password fits, and a link to set a new one is mailed:
    the answer to "was this you?". Raises LinkInvalid.
    """
    user = proofs.spend(proofs.find(token, Purpose.DISOWN))
    secure(user)
    audit.record("account.disowned", actor=user, target=user)


def secure(user: User) -> None:
    """Shuts out whoever is in, and lets the reader of the mail in; in a transaction."""
    _store_password(user, make_password(None))
    end_all_of([user.pk], reason=EndReason.DISOWNED, by=user)
    come_back(user)
    user.refresh_from_db()
    mail.queue_password_reset(user)


def _store_password(user: User, encoded: str, **changes: bool) -> None:
    now = timezone.now()
    User.objects.filter(pk=user.pk).update(password=encoded, updated_at=now, **changes)
