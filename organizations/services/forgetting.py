"""What is left of a person in organizations goes with the person."""

from uuid import UUID

from django.db.models import Q

from accounts.models import User
from audit import services as audit
from audit.models import Event
from organizations.models import Invitation, InvitationQuerySet, State
from organizations.services.inviting import delete_invitations


def forget_person(user: User) -> None:
    """A farewell of `accounts.departures`. No active owner is lost: who comes here is
    none any more.
    """
    for membership in user.memberships.order_by("pk"):
        audit.record(
            "member.left",
            target=user,
            organization_id=membership.organization_id,
            role=membership.role,
            removed=False,
        )
    user.memberships.all().delete()
    answered = _answered_by(user)
    delete_invitations(_addressed_to(user, answered))
    # Also where the row is gone, or the person had another address then.
    audit.forget_labels("invitation", answered)


def _addressed_to(user: User, answered: list[UUID]) -> InvitationQuerySet:
    """An open one to an address that was never shown to be theirs may be another's."""
    invited = Invitation.objects.filter(Q(email_key=user.email_key) | Q(pk__in=answered))
    return invited if user.email_verified else invited.exclude(state=State.OPEN)


def _answered_by(user: User) -> list[UUID]:
    actions = ["invitation.accepted", "invitation.declined"]
    events = Event.objects.filter(actor_id=user.pk, action__in=actions)
    return [pk for pk in events.values_list("target_id", flat=True) if pk]
