from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import readings  # noqa: F401  registers them
        from accounts.events import add_account_kinds

        add_account_kinds()
