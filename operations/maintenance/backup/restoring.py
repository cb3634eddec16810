"""Checks and restores a backup."""

from collections.abc import Callable
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from aimessage.events.reading import renew_epoch
from operations.maintenance.backup import postgresql
from operations.maintenance.backup.contents import count_rows, missing_migrations
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import Manifest, check_file, read_manifest
from operations.maintenance.backup.progress import OnProgress
from operations.maintenance.backup.writing import ENGINES

#: The migration that created the log of events.
EVENTS = "events.0001_events"


def check_backup(connection: BaseDatabaseWrapper, path: Path) -> tuple[Manifest, list[str]]:
    """Returns the manifest, and the migrations of this release that the backup lacks.

    Raises BackupError if the backup is damaged, or of another kind of database, or of a newer release.
    """
    manifest = read_manifest(path)
    vendor = manifest.contents.vendor
    if vendor != connection.vendor:
        raise BackupError(f"The backup is of {vendor}, but DATABASE_URL names {connection.vendor}.")
    check_file(path, manifest)
    if connection.vendor == "postgresql":
        postgresql.check_readable(connection, path)
    return manifest, missing_migrations(manifest)


def restore_backup(
    connection: BaseDatabaseWrapper,
    path: Path,
    *,
    force: bool = False,
    on_progress: OnProgress = lambda said: None,
) -> tuple[Manifest, list[str]]:
    """Restores a backup into an empty database, or with `force` into any other, whose contents are lost.

    Returns the same as `check_backup`. Raises BackupError if anything goes wrong; then nothing is changed.
    """
    on_progress("checking")
    manifest, missing = check_backup(connection, path)
    if not force:
        _refuse_to_destroy(count_rows(connection))
    load: Callable[..., None] = ENGINES[connection.vendor].load
    load(connection, path, manifest, on_progress)
    if EVENTS not in missing:
        renew_epoch()
    return manifest, missing


def _refuse_to_destroy(held: dict[str, int]) -> None:
    if not held:
        return
    largest = sorted(held.items(), key=lambda item: -item[1])
    named = ", ".join(f"{rows:,} in {table}" for table, rows in largest[:5])
    raise BackupError(
        f"This database is not empty: it holds {sum(held.values()):,} rows ({named}"
        f"{', …' if len(largest) > 5 else ''}). A restore would destroy them; --force does it all the same."
    )
