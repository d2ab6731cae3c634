"""What the run shows of indexes: which plans read a large table from end to end, and
which indexes nothing asked.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.growth_sides import Grown, connected

PLANS = Path(__file__).parent / "plans"
# A table with fewer rows is read from end to end, whatever indexes it has.
LARGE = 5000
WIDTH = 2000
SCAN = re.compile(r"Seq Scan on (\w+)")

UNUSED = """
SELECT s.relname, s.indexrelname, pg_size_pretty(pg_relation_size(s.indexrelid)),
       i.indisunique
FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
WHERE s.idx_scan = 0 AND s.relname = ANY(%s) ORDER BY pg_relation_size(s.indexrelid) DESC
"""
TABLES = """
SELECT relname, reltuples::bigint, pg_total_relation_size(oid)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
AND reltuples >= %s ORDER BY reltuples DESC
"""


@dataclass(frozen=True, slots=True)
class Unused:
    table: str
    name: str
    size: str
    unique: bool


@dataclass(frozen=True, slots=True)
class Large:
    name: str
    rows: int
    bytes: int


def large_tables(side: Grown) -> list[Large]:
    with connected(side) as connection:
        rows = connection.execute(TABLES, [LARGE]).fetchall()
    return [Large(str(row[0]), int(str(row[1])), int(str(row[2]))) for row in rows]


def server_version(side: Grown) -> str:
    with connected(side) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split()[0] if row else "unknown"


def forget_uses(side: Grown) -> None:
    """What the seed has asked does not count."""
    with connected(side) as connection:
        connection.execute("SELECT pg_stat_reset()")


def unused(side: Grown, tables: list[Large]) -> list[Unused]:
    """Of the large tables, since `forget_uses`."""
    names = [table.name for table in tables]
    with connected(side) as connection:
        rows = connection.execute(UNUSED, [names]).fetchall()
    return [Unused(str(r[0]), str(r[1]), str(r[2]), bool(r[3])) for r in rows]


def end_to_end(plans: dict[str, list[str]], tables: list[Large]) -> dict[str, list[str]]:
    """By call, the large tables that a statement of it reads so."""
    names = {table.name for table in tables}
    found = {
        call: sorted({name for text in texts for name in SCAN.findall(text)} & names)
        for call, texts in plans.items()
    }
    return {call: tables for call, tables in found.items() if tables}


def keep(plans: dict[str, list[str]], side: Grown) -> None:
    """A file for each call; those of earlier runs are gone."""
    PLANS.mkdir(exist_ok=True)
    for old in PLANS.glob("*.txt"):
        old.unlink()
    for call, texts in plans.items():
        head = f"{call}: what it sends, with {side.size}.\n"
        (PLANS / f"{call}.txt").write_text("\n".join([head, *map(_readable, texts)]))


def _readable(text: str) -> str:
    """Without what pads a line, or makes it endless: a thousand ids."""
    lines = (shorten(line) for line in text.splitlines())
    return "\n".join(lines) + "\n"


def shorten(line: str) -> str:
    whole = line.rstrip()
    return whole if len(whole) <= WIDTH else f"{whole[:WIDTH]} (and so on)"
