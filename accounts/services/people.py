"""The one way out of activity for people, and the rights that must not run out."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import departures, mail
from accounts.errors import LastSuperuser, OwnAccount
from accounts.models import User
from audit import services as audit
from config.errors import DomainError, NotFound, PermissionDenied
from sessions_app.models import EndReason
from sessions_app.services import end_all_of


@transaction.atomic
def deactivate_users(
    *, user_ids: Sequence[UUID], by: User | None, delete: bool = False
) -> dict[UUID, DomainError]:
    """Shuts people out at once, with every session; with `delete`, softly for good.

    Those who cannot go are named with the reason and stay; the rest goes. `by` is None
    for an operator. Raises PermissionDenied where the actor lost the right meanwhile.
    """
    wanted = set(user_ids)
    people = lock_departing(wanted)
    refused = held_back(wanted)
    refused |= {pk: NotFound() for pk in wanted - people.keys()}
    refused |= refused_by_rank(people, wanted - refused.keys(), by)
    going = [people[pk] for pk in sorted(wanted - refused.keys())]
    _leave(going, by, delete=delete)
    return refused


def lock_departing(wanted: set[UUID]) -> dict[UUID, User]:
    """What is at stake, then the people, for all in this order. Who came to have more at
    stake before they were locked is begun with again, and from then on cannot.
    """
    while True:
        with transaction.atomic():
            rows = [stakes(sorted(wanted)) for stakes in departures.stakes]
            held = {pk for some in rows for pk in _locked(some)}
            people = lock_people(wanted)
            if all(held.issuperset(_ids(some)) for some in rows):
                return people
            transaction.set_rollback(True)  # which frees the rows


def _locked(rows: QuerySet[Any]) -> list[Any]:
    return _ids(rows.select_for_update(no_key=True))


def _ids(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("pk").values_list("pk", flat=True))


def held_back(wanted: set[UUID]) -> dict[UUID, DomainError]:
    """Those whom a higher app must keep, and why. Under the locks."""
    found: dict[UUID, DomainError] = {}
    for guard in departures.guards:
        found |= guard(sorted(wanted))
    return found


def lock_people(wanted: set[UUID]) -> dict[UUID, User]:
    """The people concerned and every active superuser: with those, nobody else can go
    or be demoted before this is decided.
    """
    concerned = Q(pk__in=wanted) | Q(is_superuser=True, is_active=True)
    rows = User.objects.existing().filter(concerned).locked()
    return {user.pk: user for user in rows}


def refused_by_rank(
    people: dict[UUID, User], wanted: set[UUID], by: User | None = None
) -> dict[UUID, DomainError]:
    """Those of the locked who may not go: the actor, and the last superusers."""
    superusers = _in_charge(people, by)
    refused: dict[UUID, DomainError] = {}
    if by is not None and by.pk in wanted:
        refused[by.pk] = OwnAccount()
    if superusers and superusers <= wanted - refused.keys():
        refused |= {pk: LastSuperuser() for pk in superusers}
    return refused


def _in_charge(people: dict[UUID, User], by: User | None) -> set[UUID]:
    """The active superusers among the locked. Raises PermissionDenied where the actor is
    none of them any more: the right was checked before the lock was waited for.
    """
    found = {user.pk for user in people.values() if user.is_in_charge}
    if by is not None and by.pk not in found:
        raise PermissionDenied
    return found


def _leave(going: list[User], by: User | None, *, delete: bool) -> None:
    now = timezone.now()
    changes: dict[str, Any] = {"is_active": False, "updated_at": now}
    if delete:
        changes["deleted_at"] = now
    # Whoever is out already has nothing to lose, and no second event.
    leaving = [user for user in going if delete or user.is_active]
    ids = [user.pk for user in leaving]
    User.objects.filter(pk__in=ids).update(**changes)
    end_all_of(ids, reason=EndReason.DEACTIVATED, by=by)
    action = "user.deleted" if delete else "user.deactivated"
    audit.record_each(action, leaving, actor=by)
    if delete and by is not None:
        mail.notify_accounts_deleted(leaving)


@transaction.atomic
def activate_users(
    *, user_ids: Sequence[UUID], by: User | None
) -> dict[UUID, DomainError]:
    """Lets people in again; the unknown and deleted are named. Raises PermissionDenied
    as `deactivate_users` does.
    """
    wanted = set(user_ids)
    people = lock_people(wanted)
    _in_charge(people, by)
    chosen = [people[pk] for pk in sorted(wanted & people.keys())]
    inactive = [user for user in chosen if not user.is_active]
    User.objects.filter(pk__in=[user.pk for user in inactive]).update(
        is_active=True, updated_at=timezone.now()
    )
    audit.record_each("user.activated", inactive, actor=by)
    return {pk: NotFound() for pk in wanted - people.keys()}


@transaction.atomic
def restore_users(*, user_ids: Sequence[UUID], by: User) -> dict[UUID, DomainError]:
    """Takes a soft deletion back, as long as the person has a name: let in again, with
    every right and membership as they were, and no session. A notice is mailed.

    Who is not deleted, or anonymised, is named. Raises PermissionDenied.
    """
    wanted = set(user_ids)
    concerned = Q(pk__in=wanted, deleted_at__isnull=False, anonymized_at=None)
    in_charge = Q(is_superuser=True, is_active=True, deleted_at=None)
    rows = User.objects.get_queryset().filter(concerned | in_charge).locked()
    people = {user.pk: user for user in rows}
    _in_charge(people, by)
    deleted = [user for user in people.values() if user.deleted_at]
    User.objects.filter(pk__in=[user.pk for user in deleted]).update(
        is_active=True, deleted_at=None, leaving_since=None, updated_at=timezone.now()
    )
    audit.record_each("user.restored", deleted, actor=by)
    mail.queue_welcomes_back(deleted)
    return {pk: NotFound() for pk in wanted - {user.pk for user in deleted}}


def change_in_bulk(
    *, action: str, user_ids: Collection[UUID], by: User
) -> dict[UUID, DomainError]:
    """`activate`, `deactivate` or `delete`, never oneself; who is refused, and why.

    Raises PermissionDenied.
    """
    ids = sorted(set(user_ids) - {by.pk})
    if action == "activate":
        refused = activate_users(user_ids=ids, by=by)
    else:
        refused = deactivate_users(user_ids=ids, by=by, delete=action == "delete")
    return refused | ({by.pk: OwnAccount()} if by.pk in user_ids else {})


def set_activity(*, user: User, active: bool, by: User) -> None:
    """Raises OwnAccount, LastSuperuser, NotFound, PermissionDenied, or what a guard
    names.
    """
    if user.pk == by.pk and not active:
        raise OwnAccount
    change = activate_users if active else deactivate_users
    raise_first(change(user_ids=[user.pk], by=by))
    user.refresh_from_db(fields=["is_active", "updated_at"])


def delete_user(*, user_id: UUID, by: User) -> None:
    """Softly: the row and its events stay, the address stays taken. Raises as
    `set_activity` does.
    """
    raise_first(deactivate_users(user_ids=[user_id], by=by, delete=True))


def raise_first(refused: dict[UUID, DomainError]) -> None:
    """For a change of one person: refused is refused."""
    for refusal in refused.values():
        raise refusal


def lock_superusers(*, by: User) -> None:
    """Of whom `by` is still one. Raises PermissionDenied."""
    _in_charge(lock_people(set()), by)


def lock_in_charge(*, user: User, by: User) -> User:
    """The person, and every active superuser: `by` is still one. Raises PermissionDenied,
    NotFound.
    """
    people = lock_people({user.pk})
    _in_charge(people, by)
    if user.pk not in people:
        raise NotFound
    return people[user.pk]


@transaction.atomic
def update_rights(
    *,
    user: User,
    by: User,
    is_staff: bool | None = None,
    is_superuser: bool | None = None,
) -> None:
    """None leaves one as it is. Raises OwnAccount for a right of one's own,
    LastSuperuser, PermissionDenied.
    """
    stored = lock_in_charge(user=user, by=by)
    is_staff = stored.is_staff if is_staff is None else is_staff
    is_superuser = stored.is_superuser if is_superuser is None else is_superuser
    if (stored.is_staff, stored.is_superuser) == (is_staff, is_superuser):
        return
    if user.pk == by.pk:
        raise OwnAccount
    User.objects.filter(pk=user.pk).update(
        is_staff=is_staff, is_superuser=is_superuser, updated_at=timezone.now()
    )
    audit.record(
        "user.rights_changed",
        actor=by,
        target=user,
        is_staff=is_staff,
        is_superuser=is_superuser,
    )
