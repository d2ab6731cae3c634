from django.apps import AppConfig
from django.utils.module_loading import import_string


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # Models exist only now, so what listens cannot be imported above.
        import_string("accounts.console_events.listen")()
