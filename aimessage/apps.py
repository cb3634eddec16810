from django.apps import AppConfig


class AimessageConfig(AppConfig):
    name = "aimessage"
    verbose_name = "AI Messaging"

    def ready(self) -> None:
        from aimessage import checks  # noqa: F401  registers them
