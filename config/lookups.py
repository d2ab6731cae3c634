"""What Django's lookups mean here: a leaf."""

from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import Exact, Lookup


class SameId(Lookup[Any]):
    """`iexact` of an id, which is how the console asks for one (`=id`).

    Django compares the id's text, which no index has, so that a search for a name read
    the whole table for its sake. What is no id is no row's.
    """

    lookup_name = "iexact"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        try:
            wanted = UUID(str(self.rhs))
        except ValueError as exc:
            raise EmptyResultSet from exc
        return compiler.compile(Exact(self.lhs, wanted))
