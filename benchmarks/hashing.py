"""`python -m benchmarks.hashing SECONDS`: checks of a password that one core does in a
second with the hasher of DJANGO_SETTINGS_MODULE, and nothing around them.
"""

import sys
import time

import django
from django.contrib.auth.hashers import check_password, make_password

from benchmarks.people import PASSWORD


def main() -> None:
    django.setup()
    encoded = make_password(PASSWORD)
    checks, begun = 0, time.perf_counter()
    while (used := time.perf_counter() - begun) < float(sys.argv[1]):
        check_password(PASSWORD, encoded)
        checks += 1
    sys.stdout.write(f"{checks / used}\n")


if __name__ == "__main__":
    main()
