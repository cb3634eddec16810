from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import gauges  # noqa: F401  registers its gauges
        from accounts.events import add_account_kinds
        from accounts.services import mails  # noqa: F401  registers what it writes

        add_account_kinds()
