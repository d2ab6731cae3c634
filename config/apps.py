from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    """Commands and checks of the house itself."""

    name = "config"


class ConsoleConfig(AdminConfig):
    default_site = "config.console.Console"
