from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created


class AimessageConfig(AppConfig):
    name = "aimessage"
    verbose_name = "AI Messaging"

    def ready(self) -> None:
        from aimessage import checks  # noqa: F401  registers them
        from aimessage.db.bounds import start_serving, watch_sqlite
        from aimessage.server.metrics import watch_connection

        connection_created.connect(watch_connection)
        connection_created.connect(watch_sqlite)
        request_started.connect(start_serving)
