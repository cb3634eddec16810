from pathlib import Path
from time import monotonic

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from rich.console import Console

from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.restoring import check_backup, restore_backup


class Command(BaseCommand):
    help = (
        "Restores what `backup` wrote, into an empty database. Everything or nothing: where the backup is"
        " damaged, of another release, or not what its manifest says, the database stays as it was."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="What `backup` wrote; PATH.json must lie next to it.")
        parser.add_argument("--force", action="store_true", help="Destroy what the database holds now.")
        parser.add_argument("--check", action="store_true", help="Check the backup, and restore nothing.")

    def handle(
        self, *args: object, path: Path, force: bool = False, check: bool = False, **options: object
    ) -> None:
        started = monotonic()
        try:
            with Console(stderr=True).status("starting") as status:
                if check:
                    manifest, missing = check_backup(connection, path)
                else:
                    manifest, missing = restore_backup(
                        connection, path, force=force, on_progress=status.update
                    )
        except (BackupError, DatabaseError) as error:
            raise CommandError(f"{'' if check else 'Nothing was restored. '}{error}") from error
        self.stdout.write(
            f"{path}: {manifest.contents.rows:,} rows of {len(manifest.contents.tables)} tables, as of"
            f" {manifest.made_at}, {'whole' if check else 'restored'} in {monotonic() - started:.0f} s"
        )
        if missing:
            self.stdout.write(
                f"It was taken before {len(missing)} migration(s) of this release. Run: manage.py migrate"
            )
