"""Part of an address, found also where everybody's is much like it.

An index of trigrams walks whoever has one of them, and of `mei.floyd630274@` many have
most. But what stands before the @ of such a text is the end of what stands before the @
of an address, and by their ends an index of the reversed finds them (decisions/0009).
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import IContains

# Of an address in upper case the part before the @, backwards. A quoted one may have a
# further @ (RFC 5321 §4.1.2): those few stand together, to be looked at one by one.
REVERSED = (
    "(CASE WHEN {address} LIKE '%@%@%' THEN '@'"
    " ELSE REVERSE(SPLIT_PART({address}, '@', 1)) END)"
)
# The same escapes as those of `icontains`, once it is the database's upper case.
BEGINNING = (
    r"REPLACE(REPLACE(REPLACE(REVERSE(UPPER(%s)), E'\\', E'\\\\'), E'%%', E'\%%'),"
    r" E'_', E'\_') || '%%'"
)


class InAddress(IContains):
    """`icontains` of a mail address: the same rows, by another index on PostgreSQL."""

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        sql, params = self.as_sql(compiler, connection)
        local = str(self.rhs).rpartition("@")[0]
        if not local:
            return sql, params
        address, _ = self.process_lhs(compiler, connection)
        ends = REVERSED.replace("%", "%%").format(address=address)
        return f"({sql} AND ({ends} LIKE {BEGINNING} OR {ends} = '@'))", [*params, local]
