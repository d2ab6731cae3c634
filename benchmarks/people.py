"""Who is in both databases; the seeds make them, the scenarios sign them in."""

PASSWORD = "plum otter canvas meadow"  # noqa: S105  # of databases that live for minutes
SUPERUSER = "root@example.com"
# The superuser is one of them.
PEOPLE = 1000
# People from 0 up to here have a list of sessions; the ones behind, and before the
# superuser, only sign in.
LISTERS = 200
LAST = PEOPLE - 2
SESSIONS = 10


def address(number: int) -> str:
    return f"person{number}@example.com"
