from django.core.management.base import BaseCommand, CommandParser

from operations.maintenance.sweeping import sweep_all


class Command(BaseCommand):
    help = (
        "Deletes what nothing needs any more: expired tokens and logins; sessions, personal tokens,"
        " invitations and failed logins a month after their end; throttle windows; finished jobs;"
        " idempotency keys after a week; and messages that nobody can see. For a nightly timer where no"
        " worker for jobs runs; safe while the server runs, and next to another sweep."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Count, and delete nothing.")

    def handle(self, *args: object, dry_run: bool = False, **options: object) -> None:
        done = "would be deleted" if dry_run else "deleted"
        for what, count in sweep_all(dry_run=dry_run):
            self.stdout.write(f"{count} {what} {done}")
