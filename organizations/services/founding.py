"""An organization's own life."""

import json
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from config.errors import PermissionDenied
from organizations import slugs
from organizations.errors import SlugTaken
from organizations.events import record
from organizations.models import Organization
from organizations.roles import Capability, Role
from organizations.seats import Seat, lock_seat, take_seat
from organizations.services.inviting import delete_invitations
from organizations.services.joining import join, lock_person


@transaction.atomic
def create_organization(
    *, by: User, name: str, slug: str = "", **fields: Any
) -> Organization:
    """Its founder becomes its owner. Without a slug, one is made from the name.

    Raises SlugTaken, TooManyOrganizations.
    """
    # Before anything is written: the count of a person's organizations is taken under it.
    founder = lock_person(by.pk)
    if slug:
        organization = _add(name=name, slug=slug, **fields)
    else:
        organization = _add_with_free_slug(name=name, **fields)
    join(organization, founder, Role.OWNER)
    seat = take_seat(founder, organization.pk)
    record("organization.created", by=seat, target=organization)
    return seat.organization


def _add_with_free_slug(*, name: str, **fields: Any) -> Organization:
    slug = slugs.slug_of(name)
    try:
        return _add(name=name, slug=slug, **fields)
    except SlugTaken:
        return _add(name=name, slug=slugs.varied(slug), **fields)


def _add(**fields: Any) -> Organization:
    try:
        with transaction.atomic():
            return Organization.objects.create(**fields)
    except IntegrityError as exc:
        raise SlugTaken from exc


@transaction.atomic
def update_organization(*, by: Seat, **changes: Any) -> Organization:
    """`name`, `slug`, `description`, `settings`. Raises RoleTooLow, SlugTaken."""
    by = lock_seat(by)
    by.require(Capability.UPDATE_ORGANIZATION)
    organization = by.organization
    changed = {k: v for k, v in changes.items() if _differs(getattr(organization, k), v)}
    if changed:
        _change(organization, changed)
        record("organization.updated", by=by, target=organization, fields=sorted(changed))
    return organization


def _differs(old: Any, new: Any) -> bool:
    """As JSON: to Python 1 and true are equal, also deep inside."""
    return json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True)


def _change(organization: Organization, changed: dict[str, Any]) -> None:
    for name, value in changed.items():
        setattr(organization, name, value)
    organization.updated_at = timezone.now()
    try:
        with transaction.atomic():
            organization.save(update_fields=[*changed, "updated_at"])
    except IntegrityError as exc:
        raise SlugTaken from exc


@transaction.atomic
def set_organization_activity(*, by: Seat, active: bool) -> Organization:
    """By a superuser: members of an inactive one are strangers to it. Raises NotFound,
    PermissionDenied.
    """
    by = lock_seat(by)
    if not by.user.is_superuser:
        raise PermissionDenied
    organization = by.organization
    if organization.is_active != active:
        _change(organization, {"is_active": active})
        action = "organization.activated" if active else "organization.deactivated"
        record(action, by=replace(by, as_superuser=True), target=organization)
    return organization


@transaction.atomic
def administer_organization(
    *, by: Seat, is_active: bool | None = None, **changes: Any
) -> Organization:
    """As `update_organization` and `set_organization_activity`, all of it or nothing."""
    if is_active is not None:
        set_organization_activity(by=by, active=is_active)
    return update_organization(by=by, **changes)


@transaction.atomic
def delete_organization(*, by: Seat) -> None:
    """With members and invitations, for good; its events stay. Raises RoleTooLow."""
    by = lock_seat(by)
    by.require(Capability.DELETE_ORGANIZATION)
    organization = by.organization
    record("organization.deleted", by=by, target=organization, name=organization.name)
    delete_invitations(organization.invitations.all())
    organization.delete()
