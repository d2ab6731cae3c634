"""`python -m benchmarks.growth_purge NUMBER`: lets so many sessions run out and times the
purge inside; with 0 of what has run out anyway. As JSON: `number` and `seconds`.
"""

import json
import sys
import time
from io import StringIO

import django

django.setup()

# After setup: models load with it.
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from sessions_app.models import Session  # noqa: E402

# From pages all over the table; some more than wanted, since the share is a guess.
MORE = 1.5
EXPIRE = """
UPDATE sessions_app_session SET expires_at = now() - interval '1 hour' WHERE id IN (
    SELECT id FROM sessions_app_session TABLESAMPLE SYSTEM (%s) LIMIT %s
)"""


def main() -> None:
    expire(int(sys.argv[1]))
    said = StringIO()
    begun = time.perf_counter()
    call_command("purge_sessions", stdout=said)
    seconds = time.perf_counter() - begun
    number = int(said.getvalue().split()[1])
    sys.stdout.write(json.dumps({"number": number, "seconds": seconds}))


def expire(number: int) -> None:
    if not number:
        return
    share = min(100.0, 100 * MORE * number / max(1, Session.objects.count()))
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE, [share, number])


if __name__ == "__main__":
    main()
