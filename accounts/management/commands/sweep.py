"""`manage.py sweep`: deletes the rows that nothing needs any more. For a nightly timer."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts import lockout
from accounts.services import sessions
from aimessage import counting


class Command(BaseCommand):
    help = "Deletes expired tokens, sessions long dead, old failed logins and throttle windows."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("clearsessions")
        for swept in (sessions.sweep(), lockout.sweep(), counting.sweep()):
            for what, count in swept.items():
                self.stdout.write(f"{count} {what} deleted")
