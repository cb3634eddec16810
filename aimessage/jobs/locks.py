"""Named locks that are released when their process ends, even if it is killed.

PostgreSQL: session-level advisory locks. SQLite: flock on files beside the database. PostgreSQL behind a
connection pooler, where sessions are shared: leases, rows that expire unless they are renewed each second.
"""

import fcntl
import os
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

#: The first key (classid) of our advisory locks, which keeps them apart from those of other programs.
WORKER, OTHER = 0x61694A57, 0x61694A58
#: Seconds until a lease expires after it was renewed.
LEASE_SECONDS = 10
PREFIX = "worker."


def worker_lock(worker: str) -> str:
    return f"{PREFIX}{worker}"


class Locks(Protocol):
    def take(self, name: str) -> bool:
        """Acquires the lock, or keeps it; returns whether this process has it. Call it each second."""

    def held(self, names: Iterable[str]) -> set[str]:
        """Those of `names` that any process holds."""

    def release(self) -> None: ...


def make_locks() -> Locks:
    # Each thread makes its own: none of these objects is thread-safe.
    if connection.vendor == "sqlite":
        return FileLocks(_folder(), _stem())
    return Leases() if settings.DATABASE_POOLER else AdvisoryLocks(connection)


def count_workers() -> int:
    if connection.vendor == "sqlite":
        files = FileLocks(_folder(), _stem())
        found = [path.name.removeprefix(files.stem) for path in files.folder.glob(f"{files.stem}{PREFIX}*")]
        return len(files.held(found))
    with connection.cursor() as cursor:
        if settings.DATABASE_POOLER:
            cursor.execute(
                "SELECT count(*) FROM jobs_lease WHERE name LIKE %s AND until > now()", [f"{PREFIX}%"]
            )
        else:
            cursor.execute(f"SELECT count(*) {_GRANTED}", [WORKER])
        return int(cursor.fetchone()[0])


# --- PostgreSQL ---------------------------------------------------------------------------------

_GRANTED = """
    FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_KEEPALIVE = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"


def _keys(name: str) -> tuple[int, int]:
    return WORKER if name.startswith(PREFIX) else OTHER, zlib.crc32(name.encode())


class AdvisoryLocks:
    """Locks on a connection of their own. When it is lost, all locks are, and `take` raises DatabaseError."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.connection = wrapper.copy()
        # A broken network is noticed within seconds: by us through this, by the server through _KEEPALIVE.
        self.connection.settings_dict["OPTIONS"]["tcp_user_timeout"] = 10_000
        self.mine: set[str] = set()

    def take(self, name: str) -> bool:
        kind, number = _keys(name)
        signed = number - 2**32 if number >= 2**31 else number
        try:
            with self.connection.cursor() as cursor:
                if name in self.mine:
                    cursor.execute("SELECT 1")
                    return True
                if not self.mine:
                    cursor.execute(_KEEPALIVE)
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, signed])
                taken = bool(cursor.fetchone()[0])
        except Exception:
            self.release()
            raise
        if taken:
            self.mine.add(name)
        return taken

    def held(self, names: Iterable[str]) -> set[str]:
        by_keys = {_keys(name): name for name in names}
        if not by_keys:
            return set()
        found = set()
        with self.connection.cursor() as cursor:
            for kind in {kind for kind, _ in by_keys}:
                cursor.execute(f"SELECT objid::bigint {_GRANTED}", [kind])
                found |= {by_keys.get((kind, number)) for (number,) in cursor.fetchall()}
        return {name for name in found if name is not None}

    def release(self) -> None:
        self.mine.clear()
        self.connection.close()


class Leases:
    def __init__(self) -> None:
        self.holder = os.urandom(16).hex()

    def take(self, name: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO jobs_lease AS lease (name, holder, until)
                VALUES (%(name)s, %(holder)s, now() + %(seconds)s * interval '1 second')
                ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                WHERE lease.holder = excluded.holder OR lease.until < now()""",
                {"name": name, "holder": self.holder, "seconds": LEASE_SECONDS},
            )
            return bool(cursor.rowcount == 1)

    def held(self, names: Iterable[str]) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM jobs_lease WHERE name = ANY(%s) AND until > now()", [list(names)]
            )
            return {name for (name,) in cursor.fetchall()}

    def release(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM jobs_lease WHERE holder = %s", [self.holder])


# --- SQLite -------------------------------------------------------------------------------------


def _database() -> Path | None:
    return None if connection.is_in_memory_db() else Path(connection.settings_dict["NAME"]).absolute()  # type: ignore[attr-defined]


def _folder() -> Path:
    database = _database()
    return database.parent if database else Path(tempfile.gettempdir())


def _stem() -> str:
    database = _database()
    return f"{database.name}-jobs-" if database else f"memory-{os.getpid()}-jobs-"


class FileLocks:
    def __init__(self, folder: Path, stem: str) -> None:
        self.folder, self.stem = folder, stem
        self.files: dict[str, int] = {}

    def take(self, name: str) -> bool:
        if name in self.files:
            return True
        descriptor = self._open(name)
        # Another process in `held` may have found the file unlocked and removed it before we locked it.
        if descriptor is None or not self._is_current(name, descriptor):
            return False
        self.files[name] = descriptor
        return True

    def held(self, names: Iterable[str]) -> set[str]:
        found = set()
        for name in names:
            if name in self.files:
                found.add(name)
            elif self._path(name).exists():
                descriptor = self._open(name)
                if descriptor is None:
                    found.add(name)
                else:
                    # Its process is gone.
                    self._path(name).unlink(missing_ok=True)
                    os.close(descriptor)
        return found

    def release(self) -> None:
        for name, descriptor in self.files.items():
            self._path(name).unlink(missing_ok=True)
            os.close(descriptor)
        self.files.clear()

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.stem}{name}"

    def _open(self, name: str) -> int | None:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path(name), flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _is_current(self, name: str, descriptor: int) -> bool:
        """Whether the path still leads to this file; closes the descriptor if not."""
        try:
            is_current = os.path.samestat(os.stat(self._path(name)), os.fstat(descriptor))
        except FileNotFoundError:
            is_current = False
        if not is_current:
            os.close(descriptor)
        return is_current
