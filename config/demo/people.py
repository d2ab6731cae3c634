"""Demo people: most are there, some are shut out, deleted or about to leave."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings

from accounts.models import User
from config.demo import names
from config.demo.plan import (
    Plan,
    between,
    is_deleted,
    is_inactive,
    is_leaving,
    is_present,
    mix,
)
from config.demo.tables import Row, Table

COLUMNS = (
    "id",
    "email",
    "email_key",
    "email_verified",
    "first_name",
    "last_name",
    "phone_number",
    "locale",
    "password",
    "preferences",
    "is_active",
    "is_staff",
    "is_superuser",
    "session_epoch",
    "created_at",
    "updated_at",
    "leaving_since",
    "deleted_at",
)
# Fictional, as in films: +1 555 and seven digits.
PHONE, PHONES = "+1555", 10_000_000


def people(plan: Plan, span: range) -> Table:
    return Table(User, COLUMNS, _rows(plan, span))


def first_free_number() -> int:
    """Behind every address of earlier runs."""
    keys = User.objects.filter(email_key__endswith=f"@{names.DOMAIN}")
    found = keys.values_list("email_key", flat=True).iterator(chunk_size=10_000)
    return max(map(names.number_in, found), default=-1) + 1


def _rows(plan: Plan, span: range) -> Iterator[Row]:
    locales = ("", *(code for code, _ in settings.LANGUAGES))
    for index in span:
        number = plan.first_user + index
        chance = mix(number)
        first, last = names.full_name(number)
        address = names.address(number)
        yield (
            plan.person_id(index),
            address,
            address,
            chance % 10 > 0,
            first,
            last,
            f"{PHONE}{chance % PHONES:07}" if chance % 3 == 0 else "",
            locales[chance % len(locales)],
            plan.password,
            {},
            not is_inactive(index),
            False,
            False,
            # Whoever was shut out, or wants to leave, was signed out everywhere.
            0 if is_present(index) else 1,
            plan.joined(index),
            *_fate(plan, index, chance),
        )


def _fate(plan: Plan, index: int, chance: int) -> tuple[Any, ...]:
    """`updated_at`, `leaving_since`, `deleted_at`: within what the graces allow."""
    if is_present(index):
        return None, None, None
    grace = settings.LEAVING_GRACE if is_leaving(index) else settings.DELETED_GRACE
    earliest = max(
        plan.joined(index), plan.now - max(grace - timedelta(days=1), grace / 2)
    )
    moment = between(earliest, plan.now, chance)
    return (
        moment,
        moment if is_leaving(index) else None,
        moment if is_deleted(index) else None,
    )
