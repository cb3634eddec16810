from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "channels"

    def ready(self) -> None:
        from channels import exporting  # noqa: F401  adds to exports
        from channels.outgoing import add_outgoing
        from channels.services.contacts import check_writes_to_contact
        from messaging.services import extensions

        extensions.checks.append(check_writes_to_contact)
        add_outgoing()
