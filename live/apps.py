from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import import_string

from live.checks import check_layer


class LiveConfig(AppConfig):
    """The highest app: it knows what may be told of what the others record."""

    name = "live"

    def ready(self) -> None:
        register(check_layer)
        import_string("audit.stream.announced").update(
            import_string("live.visibility.ANNOUNCED")
        )
