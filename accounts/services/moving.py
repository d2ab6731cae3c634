"""From one mail address to another, and back."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import mail, proofs
from accounts.addresses import email_key
from accounts.errors import AddressTaken
from accounts.models import Proof, Purpose, User
from accounts.services.posting import may_mail
from accounts.services.proving import lock_proved, prove_password
from accounts.services.recovery import secure
from audit import services as audit


def request_address_change(*, user: User, new_email: str, current_password: str) -> None:
    """Mails a link to the new address; the account keeps the old one until it is opened.

    Says nothing of whether the new one is known: its owner is mailed instead. Raises
    WrongPassword, TooManyAttempts, ValidationError.
    """
    key = email_key(new_email)
    proved = prove_password(user=user, password=current_password)
    with transaction.atomic():
        # The link rests on the password that was proved, not on one set meanwhile.
        person = lock_proved(user, proved)
        audit.record("email.change_requested", actor=person, target=person)
        if may_mail("address", key):
            _invite(person, new_email, key)


def _invite(user: User, new_email: str, key: str) -> None:
    owner = User.objects.filter(email_key=key).exclude(pk=user.pk).first()
    if owner is None:
        mail.queue_address_confirmation(user, new_email)
    elif owner.is_active:
        mail.queue_account_exists(owner)


def confirm_address(*, token: str) -> None:
    """Raises LinkInvalid, AddressTaken: of two who want one address, one has it."""
    proof = proofs.find(token, Purpose.ADDRESS)
    try:
        _move(proof)
    except IntegrityError as exc:
        raise AddressTaken from exc


@transaction.atomic
def _move(proof: Proof) -> None:
    user = proofs.spend(proof)
    old_email, was_verified = user.email, user.email_verified
    _store_address(user, proof.data["email"])
    audit.record("email.changed", actor=user, target=user)
    if email_key(old_email) != user.email_key:
        # Or whoever once named a stranger's address would keep the stranger from it.
        mail.notify_address_changed(user, old_email, reserve=was_verified)


def restore_address(*, token: str) -> None:
    """The way back: the old address again, every session and the password gone, and a
    link to set a new one. Raises LinkInvalid, AddressTaken.
    """
    proof = proofs.find(token, Purpose.RETURN_ADDRESS)
    try:
        _move_back(proof)
    except IntegrityError as exc:
        raise AddressTaken from exc


@transaction.atomic
def _move_back(proof: Proof) -> None:
    user = proofs.spend(proof)
    # Ways back that a thief got since would take the account away again.
    later = Proof.objects.of(user.pk).filter(created_at__gte=proof.created_at)
    later.filter(purpose=Purpose.RETURN_ADDRESS).delete()
    _store_address(user, proof.data["email"])
    secure(user)
    audit.record("email.restored", actor=user, target=user)


def _store_address(user: User, email: str) -> None:
    """Raises IntegrityError where another account has it."""
    user.email, user.email_verified, user.updated_at = email, True, timezone.now()
    user.save(update_fields=["email", "email_verified", "updated_at"])
    refuse_promised(user)


def refuse_promised(user: User) -> None:
    """An address to which somebody else may still return is not free: a thief could
    move an account away and take its old address. Raises AddressTaken.

    Asked after the row is written, so that whoever freed the address has committed.
    """
    promised = Proof.objects.open().exclude(user=user.pk)
    subject = proofs.digest(user.email_key)
    if promised.filter(purpose=Purpose.RETURN_ADDRESS, subject=subject).exists():
        raise AddressTaken
