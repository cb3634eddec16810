from datetime import timedelta

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "aimessage.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from aimessage.jobs.clock import periodically
        from aimessage.webhooks import mails  # noqa: F401  registers who writes them
        from aimessage.webhooks.consuming import add_webhook_loops
        from aimessage.webhooks.jobs import prune

        add_webhook_loops()
        periodically("webhooks.prune", timedelta(hours=1), prune)
