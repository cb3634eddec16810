from django.core.management.base import BaseCommand, CommandError

from accounts.services.second_factor import reseal_secrets


class Command(BaseCommand):
    help = (
        "Seals every stored secret with the first of AI_MESSAGE_ENCRYPTION_KEYS. Afterwards the other keys"
        " can be removed. Safe while the server runs."
    )

    def handle(self, *args: object, **options: object) -> None:
        resealed, unopened = reseal_secrets()
        self.stdout.write(f"{resealed} secrets resealed")
        if unopened:
            raise CommandError(f"No key opens {unopened} secrets; they were left as they are.")
