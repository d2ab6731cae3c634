"""Leaving of one's own will: a grace period, a way back, and then nothing is left."""

from uuid import UUID, uuid4

import structlog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import departures, mail, proofs
from accounts.models import Purpose, User
from accounts.services.people import (
    deactivate_users,
    held_back,
    lock_departing,
    raise_first,
    refused_by_rank,
)
from accounts.services.proving import lock_proved, prove_password
from audit import services as audit
from outbox.services import drop_mails_of
from sessions_app.models import EndReason
from sessions_app.services import end_all_of

logger = structlog.get_logger("accounts")

BATCH = 100


def leave(*, user: User, current_password: str) -> None:
    """Every session ends; signing in or the mailed link within LEAVING_GRACE undoes it.

    Raises WrongPassword, TooManyAttempts, LastSuperuser, or what a guard names.
    """
    proved = prove_password(user=user, password=current_password)
    _begin_leaving(user, proved)


@transaction.atomic
def _begin_leaving(user: User, proved: str) -> None:
    people = lock_departing({user.pk})
    raise_first(held_back({user.pk}))
    lock_proved(user, proved)
    raise_first(refused_by_rank(people, {user.pk}))
    user.leaving_since = user.updated_at = timezone.now()
    user.save(update_fields=["leaving_since", "updated_at"])
    end_all_of([user.pk], reason=EndReason.LEFT, by=user)
    audit.record("user.leaving", actor=user, target=user)
    mail.queue_leaving(user, user.leaving_since)


@transaction.atomic
def stay(*, token: str) -> None:
    """Raises LinkInvalid."""
    come_back(proofs.spend(proofs.find(token, Purpose.STAY)))


@transaction.atomic
def come_back(user: User) -> None:
    """Nothing, where the person was not leaving."""
    leaving = User.objects.existing().filter(pk=user.pk, leaving_since__isnull=False)
    if leaving.update(leaving_since=None, updated_at=timezone.now()):
        audit.record("user.returned", actor=user, target=user)
        mail.queue_welcome_back(user)


def purge_accounts() -> int:
    """Anonymises whose grace is over; how many. Two at once do no harm.

    Whoever may not go, because an invariant would break, is logged and stays.
    """
    number, last = 0, UUID(int=0)
    while True:
        rows = User.objects.get_queryset().gone_for_good().filter(pk__gt=last)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            return number
        number += sum(_anonymize(pk) for pk in ids)
        last = ids[-1]


@transaction.atomic
def _anonymize(pk: UUID) -> bool:
    rows = User.objects.get_queryset().gone_for_good().filter(pk=pk)
    if rows.filter(deleted_at=None).exists() and not _close(pk):
        return False
    user = rows.locked().first()
    if user is None:
        # Came back, or was anonymised by another, a moment ago: undo the closing.
        transaction.set_rollback(True)
        return False
    drop_mails_of(person_id=pk)
    mail.notify_account_gone(user)
    for forget in departures.farewells:
        forget(user)
    user.sessions.all().delete()
    user.proofs.all().delete()
    _forget(user)
    # What a device was called is personal as well.
    LogEntry.objects.filter(object_id=str(pk)).update(object_repr=user.audit_label)
    audit.pseudonymize(pk, label=user.audit_label, personal=["session"])
    audit.record("user.anonymized", target=user)
    return True


def _close(pk: UUID) -> bool:
    """Out of activity by the one way there is, which asks the guards."""
    refused = deactivate_users(user_ids=[pk], by=None, delete=True)
    for refusal in refused.values():
        logger.warning("account_not_purged", user_id=str(pk), code=refusal.code)
    return not refused


def _forget(user: User) -> None:
    now = timezone.now()
    # A domain that can never exist (RFC 2606), so that nothing is ever mailed there; a
    # name that nobody can have taken to be in the way.
    user.email = f"deleted-{uuid4()}@deleted.invalid"
    user.password = make_password(None)
    user.first_name = "Deleted"
    user.last_name = user.phone_number = user.locale = ""
    user.preferences = {}
    user.email_verified = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.anonymized_at = user.updated_at = now
    user.save()
