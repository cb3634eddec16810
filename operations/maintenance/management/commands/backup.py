from pathlib import Path
from time import monotonic

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from rich.console import Console

from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.writing import dated_path, remove_old, write_backup


class Command(BaseCommand):
    help = (
        "Writes a backup of the whole database, while the server runs, reads it back, and puts it to its"
        " place only when it is good. It holds everything but the settings: keep SECRET_KEY elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="A file, or a folder, in which its name is the time.")
        parser.add_argument("--force", action="store_true", help="Overwrite the file.")
        parser.add_argument(
            "--keep",
            type=int,
            help="For a folder: once the backup is good, remove the oldest beyond this number. Files with"
            " other names stay.",
        )

    def handle(
        self, *args: object, path: Path, force: bool = False, keep: int | None = None, **options: object
    ) -> None:
        if keep is not None and keep < 1:
            raise CommandError("--keep must be at least 1.")
        if keep is not None and not path.is_dir():
            raise CommandError(f"--keep is for a folder, and {path} is none.")
        started, folder = monotonic(), path
        try:
            if path.is_dir():
                path = dated_path(connection, path)
            with Console(stderr=True).status("starting") as status:
                manifest = write_backup(connection, path, force=force, on_progress=status.update)
            removed = remove_old(folder, keep=keep) if keep else []
        except (BackupError, DatabaseError) as error:
            raise CommandError(f"No backup was written. {error}") from error
        self.stdout.write(
            f"{path}: {manifest.contents.rows:,} rows of {len(manifest.contents.tables)} tables,"
            f" {manifest.size / 1e6:,.1f} MB, checked, in {monotonic() - started:.0f} s"
        )
        for old in removed:
            self.stdout.write(f"{old}: removed")
