from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models import UUIDField

from config.lookups import SameId


class ConfigConfig(AppConfig):
    """Commands, checks and lookups of the house itself."""

    name = "config"

    def ready(self) -> None:
        UUIDField.register_lookup(SameId)


class ConsoleConfig(AdminConfig):
    default_site = "config.console.Console"
