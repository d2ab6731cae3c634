"""`python -m benchmarks.growth_purge NUMBER`: adds so many sessions that have run out and
times the purge inside; with 0 of what has run out anyway. As JSON: `number`, `seconds`.
"""

import json
import sys
import time
from io import StringIO

import django

django.setup()

# After setup: models load with it.
from django.core.management import call_command
from django.db import connection

from sessions_app.models import Session

# Copies of rows from all over the table, so that it stays as large as it is.
# Some more pages than wanted, since the share is a guess.
MORE = 1.5
NUMBER = "SELECT reltuples FROM pg_class WHERE relname = 'sessions_app_session'"
ADD = """
INSERT INTO sessions_app_session (id, expires_at, {columns})
SELECT gen_random_uuid(), now() - interval '1 hour', {columns}
FROM sessions_app_session TABLESAMPLE SYSTEM (%s) LIMIT %s
"""
OTHERS = [
    str(field.column)
    for field in Session._meta.concrete_fields
    if field.column not in {"id", "expires_at"}
]


def main() -> None:
    add_expired(int(sys.argv[1]))
    said = StringIO()
    begun = time.perf_counter()
    call_command("purge_sessions", stdout=said)
    seconds = time.perf_counter() - begun
    number = int(said.getvalue().split()[1])
    sys.stdout.write(json.dumps({"number": number, "seconds": seconds}))


def add_expired(number: int) -> None:
    if not number:
        return
    with connection.cursor() as cursor:
        cursor.execute(NUMBER)
        share = min(100.0, 100 * MORE * number / max(1, cursor.fetchone()[0]))
        columns = ", ".join(OTHERS)
        cursor.execute(ADD.format(columns=columns), [share, number])


if __name__ == "__main__":
    main()
