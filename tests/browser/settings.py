"""Those of the service, with the static files in a folder of the test's own."""

import os
from pathlib import Path

from config.settings import *  # noqa: F403  # all of them

STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
