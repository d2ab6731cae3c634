"""The settings of a server that gives up sooner, so that tests need not wait."""

from datetime import timedelta

from config.settings import *  # noqa: F403  # all of them but one

REQUEST_DEADLINE = timedelta(seconds=1)
