"""What staff do for people, superusers or not; `User.may_tend` says for whom."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import mail
from accounts.models import User
from accounts.services.posting import may_mail
from accounts.services.profiles import update_profile
from audit import services as audit
from config.errors import DomainError, NotFound, PermissionDenied, TooManyRequests
from sessions_app.models import EndReason
from sessions_app.services import end_all_of

Refused = dict[UUID, DomainError]


@transaction.atomic
def end_sessions_of(*, user_ids: Collection[UUID], by: User) -> tuple[int, Refused]:
    """How many ended, and whose could not be. Raises PermissionDenied."""
    people, refused = _lock_tended(set(user_ids), by)
    ids = [user.pk for user in people]
    return end_all_of(ids, reason=EndReason.REVOKED, by=by), refused


@transaction.atomic
def mail_reset_links(*, user_ids: Collection[UUID], by: User) -> Refused:
    """A new password is the person's to choose. Who is refused, and why: also who is
    shut out, and who had MAILS_PER_ADDRESS already. Raises PermissionDenied.
    """
    people, refused = _lock_tended(set(user_ids), by)
    refused |= {user.pk: NotFound() for user in people if not user.is_active}
    asked = [user for user in people if user.is_active]
    mailed = [user for user in asked if may_mail("password_reset", user.email_key)]
    refused |= {user.pk: TooManyRequests() for user in asked if user not in mailed}
    for user in mailed:
        mail.queue_password_reset(user)
    audit.record_each("password.reset_requested", mailed, actor=by)
    return refused


@transaction.atomic
def tend_profile(*, user: User, by: User, **changes: Any) -> None:
    """As `update_profile`. Raises PermissionDenied, NotFound."""
    _, refused = _lock_tended({user.pk}, by)
    for refusal in refused.values():
        raise refusal
    update_profile(user=user, by=by, **changes)


def _lock_tended(wanted: set[UUID], by: User) -> tuple[list[User], Refused]:
    """In id order, with the actor as it is now. Raises PermissionDenied."""
    rows = User.objects.existing().filter(pk__in=wanted | {by.pk}).locked()
    people = {user.pk: user for user in rows}
    actor = people.get(by.pk)
    if actor is None or not (actor.is_present and actor.is_staff):
        raise PermissionDenied
    found = [people[pk] for pk in sorted(wanted & people.keys())]
    refused: Refused = {pk: NotFound() for pk in wanted - people.keys()}
    barred = [user for user in found if not actor.may_tend(user)]
    refused |= {user.pk: PermissionDenied() for user in barred}
    return [user for user in found if user not in barred], refused
