from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import mails, readings  # noqa: F401  register theirs
        from accounts.events import add_account_kinds

        add_account_kinds()
