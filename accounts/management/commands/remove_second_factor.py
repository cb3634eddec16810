from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.events import EndReason
from accounts.models import User
from accounts.services.second_factor import remove_second_factor
from aimessage.api.problems import NotFound
from aimessage.audit.acting import acting, record

NAME = "manage.py remove_second_factor"


class Command(BaseCommand):
    help = (
        "Turns an account's two-factor login off, and ends its sessions: for whoever lost the phone and the"
        " recovery codes. The audit trail has it, and the user is told by mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: object, username: str, **options: object) -> None:
        try:
            user = User.objects.get_by_natural_key(username)
            with acting():
                remove_second_factor(user, reason=EndReason.ADMIN, by=NAME)
                record(
                    None,
                    "user.second_factor_removed",
                    "Removed the second factor.",
                    target=user,
                    before={"second_factor": True},
                    after={"second_factor": False},
                    actor_name=NAME,
                )
        except User.DoesNotExist:
            raise CommandError("There is no such user.") from None
        except NotFound:
            self.stdout.write("Two-factor login is off already.")
        else:
            self.stdout.write("Two-factor login is off.")
