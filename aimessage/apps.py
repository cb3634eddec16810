from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AimessageConfig(AppConfig):
    name = "aimessage"
    verbose_name = "AI Messaging"

    def ready(self) -> None:
        from aimessage import checks  # noqa: F401  registers them
        from aimessage.server.metrics import watch_connection

        connection_created.connect(watch_connection)
