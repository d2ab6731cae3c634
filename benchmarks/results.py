"""RESULTS.md has a part for each bench that writes into it."""

import re
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
CALLS = "# Results of `make bench`"
LIVE = "# Results of `make bench-live`"
ORDER = (CALLS, LIVE)


def replace(heading: str, text: str) -> None:
    """The part under this heading, which `text` begins with; the other stays."""
    parts = re.split(r"^(?=# )", RESULTS.read_text(), flags=re.MULTILINE)
    found = {part.splitlines()[0]: part for part in parts if part}
    found[heading] = text
    ours = [found[each].strip() for each in ORDER if each in found]
    RESULTS.write_text("\n\n".join(ours) + "\n")
