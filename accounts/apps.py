from django.apps import AppConfig
from django.db.models import EmailField
from django.utils.module_loading import import_string

from accounts.searching import InAddress


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        EmailField.register_lookup(InAddress, "in_address")
        # Models exist only now, so what listens cannot be imported above.
        import_string("accounts.console_events.listen")()
        # What lower apps ask or tell goes through lists of theirs, filled here.
        import_string("sessions_app.thefts.listeners").append(
            import_string("accounts.mail.notify_refresh_reused")
        )
        import_string("accounts.exports.sections").update(
            import_string("accounts.exports.own_sections")()
        )
