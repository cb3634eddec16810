"""A migrated SQLite database for each server that a test starts: made once, and copied."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def migrate_sqlite(path: Path, migrate: Callable[[], object]) -> None:
    """Has a migrated database at `path`, where there is none. `migrate()` makes one there.

    Kept in the system's temporary folder under a digest of all migrations, so that a change makes a new one.
    """
    kept = Path(tempfile.gettempdir()) / f"aimessage-migrated-{_digest()}.sqlite3"
    if kept.exists() and not path.exists():
        shutil.copy(kept, path)
        return
    migrate()
    if not kept.exists():
        draft = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(path, draft)
        draft.replace(kept)


def _digest() -> str:
    digest = hashlib.sha256()
    for file in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
