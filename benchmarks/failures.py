class RunFailed(Exception):
    """Something was not as a fair comparison needs it; no figure of the run counts."""


class Busy(RunFailed):
    """A server said 503 and when to come back: it refuses what it cannot do in time."""


class ToolMissing(Exception):
    """What to install, in one line."""
