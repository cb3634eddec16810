from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import exporting  # noqa: F401  adds to exports
        from messaging.events import add_message_kinds
        from messaging.services import erasing  # noqa: F401  adds to deletions

        add_message_kinds()
