"""Bringing a backup back."""

from collections.abc import Callable
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from aimessage.events.reading import renew_epoch
from operations.maintenance.backup import postgresql
from operations.maintenance.backup.contents import holdings, missing_migrations
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import Manifest, check_file, read_manifest
from operations.maintenance.backup.progress import Tell
from operations.maintenance.backup.writing import ENGINES

#: The migration that made the log of events.
EVENTS = "events.0001_events"


def check_backup(connection: BaseDatabaseWrapper, path: Path) -> tuple[Manifest, list[str]]:
    """The manifest of a backup that is whole and fits this release, and the migrations it was taken before.

    Raises BackupError for any other.
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
    connection: BaseDatabaseWrapper, path: Path, *, force: bool = False, tell: Tell = lambda said: None
) -> tuple[Manifest, list[str]]:
    """Restores a backup into a database that holds nothing, or with `force` in place of what it holds.

    Returns as check_backup. Raises BackupError, with the database as it was, where anything is wrong.
    """
    tell("checking")
    manifest, missing = check_backup(connection, path)
    if not force:
        _refuse_to_destroy(holdings(connection))
    load: Callable[..., None] = ENGINES[connection.vendor].load
    load(connection, path, manifest, tell)
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
