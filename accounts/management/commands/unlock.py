from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.guesses import unlock_everywhere
from accounts.models import User
from aimessage.api.problems import NotFound


class Command(BaseCommand):
    help = "Lifts every lockout of an account, from whatever address; as Unlock on its page in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: object, username: str, **options: object) -> None:
        try:
            unlock_everywhere(User.objects.get_by_natural_key(username), by="unlock")
        except User.DoesNotExist:
            raise CommandError("There is no such user.") from None
        except NotFound:
            self.stdout.write("Not locked out.")
        else:
            self.stdout.write("Unlocked.")
