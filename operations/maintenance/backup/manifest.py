"""The manifest: a JSON file next to a backup that says what it holds. A restore compares the two."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from operations.maintenance.backup.errors import BackupError

#: The manifest's format; a restore refuses any other.
FORMAT = 1


@dataclass(frozen=True)
class Table:
    rows: int
    #: The sum of a hash of each row, so that their order does not matter.
    digest: str


@dataclass(frozen=True)
class Contents:
    """A database at one moment."""

    vendor: str
    #: The server's version, as `15.20`.
    server: str
    #: Applied migrations, as `messaging.0001_messaging`.
    migrations: list[str]
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def same_rows(self, other: "Contents") -> bool:
        return self.tables == other.tables


#: A table without rows.
NO_ROWS = Table(0, "0")
#: Tables that are backed up without their rows. A restore makes the cursors expire by which clients read
#: events; by then, streams and tickets are gone.
LEFT_OUT = ("accounts_streamticket", "events_event", "events_openstream", "events_process")


@dataclass(frozen=True)
class Manifest:
    format: int
    made_at: str
    size: int
    sha256: str
    contents: Contents


def manifest_path(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.json")


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), indent=1) + "\n"


def read_manifest(backup: Path) -> Manifest:
    """Raises BackupError if the manifest is missing or broken."""
    path = manifest_path(backup)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        tables = {name: Table(**table) for name, table in raw["contents"].pop("tables").items()}
        manifest = Manifest(**{**raw, "contents": Contents(**raw["contents"], tables=tables)})
    except FileNotFoundError:
        raise BackupError(
            f"{path} is missing. Without it nothing tells whether the backup is whole; docs/backup.md says"
            " how to restore such a one by hand."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{path} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{path} was written by another release (format {manifest.format}, not {FORMAT}).")
    return manifest


def check_file(backup: Path, manifest: Manifest) -> None:
    """Raises BackupError if the file differs from the one that the manifest was written for."""
    try:
        whole = backup.stat().st_size == manifest.size and file_digest(backup) == manifest.sha256
    except OSError as error:
        raise BackupError(f"{backup} cannot be read: {error.strerror}.") from error
    if not whole:
        raise BackupError(f"{backup} is damaged: it is not the file that {manifest_path(backup)} tells of.")
