"""The statement of a sign-in that finds who it is, written once a process."""

from functools import cache

from django.db import connection

from accounts.models import User
from config.statements import Statement, write

SOME_KEY = "somebody"


def find_by_key(email_key: str) -> User | None:
    """With every column, also where the person is inactive or deleted."""
    for row in _by_key(connection.vendor).rows(email_key):
        return User.from_db("default", _columns(), row)
    return None


@cache
def _columns() -> tuple[str, ...]:
    return tuple(field.attname for field in User._meta.concrete_fields)


@cache
def _by_key(vendor: str) -> Statement:
    rows = User.objects.get_queryset().filter(email_key=SOME_KEY)
    key = User._meta.get_field("email_key")
    return write(rows.values_list(*_columns()), (key, SOME_KEY))
