"""Checks the database: does it answer, keep what it acknowledges, and have what the application needs?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import NotSupportedError

from aimessage.environment import read_int
from operations.legacy_import.models import SetAsideIndex
from operations.maintenance.doctor.findings import Finding, error, ok, skipped, warning

#: From how many seconds a difference of clocks is a warning, and an error: tokens and lockouts go wrong.
CLOCK_OFF, CLOCK_WRONG = 1.0, 30.0
#: Connections to keep free for the operator.
SPARE_CONNECTIONS = 5
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
NOT_POSTGRESQL = "only for PostgreSQL"
NOT_SQLITE = "only for SQLite"


def reachable() -> Finding:
    place = connection.settings_dict
    try:
        connection.ensure_connection()
        version = ".".join(str(part) for part in connection.get_database_version())
    except NotSupportedError as failure:
        return error(_first_line(failure), "Upgrade the database server.")
    except DatabaseError as failure:
        return error(
            f"The database does not answer: {_first_line(failure)}",
            "See whether it runs, and whether DATABASE_URL names its host, port, user and password.",
        )
    if connection.vendor == "sqlite":
        return ok(f"SQLite {version}, {place['NAME']}")
    return ok(f"PostgreSQL {version}, {place['NAME']} on {place['HOST'] or 'a local socket'}")


@contextmanager
def statement_time_limit() -> Iterator[None]:
    """Limits the time of each statement. For a transaction, since a pooler may share the session."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10s'")
        yield


def _first_line(failure: Exception) -> str:
    lines = str(failure).strip().splitlines()
    return lines[0] if lines else type(failure).__name__


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _one(query: str) -> Any:
    rows = _rows(query)
    return rows[0][0] if rows else None


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations or ())
    if pending:
        names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in pending[:3])
        return error(f"{len(pending)} to do: {names}{' …' if len(pending) > 3 else ''}", "manage.py migrate")
    if unknown:
        app, name = min(unknown)
        return error(
            f"The database is of a newer release than the code: {app}.{name} is unknown.",
            "Install that release, or restore a backup of before.",
        )
    return ok("all applied")


def durability() -> Finding:
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    off = [
        name for name in ("fsync", "full_page_writes", "synchronous_commit") if _one(f"SHOW {name}") == "off"
    ]
    if off:
        return error(
            f"PostgreSQL runs with {', '.join(f'{name}=off' for name in off)}: what was acknowledged is lost,"
            " or the database broken, when the power fails.",
            "Set it to on in postgresql.conf, or for the role or database where it was set.",
        )
    return ok("fsync, full_page_writes and synchronous_commit are on")


def encoding() -> Finding:
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    found = _one("SHOW server_encoding")
    if found != "UTF8":
        return error(
            f"The database stores {found}, which lacks most characters that people write.",
            "Make it anew with ENCODING 'UTF8' TEMPLATE template0, and restore a backup into it.",
        )
    return ok("UTF8")


def collation() -> Finding:
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    if not _one("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'"):
        return error(
            "The collation und-x-icu is missing: every search of messages fails.",
            "Use a PostgreSQL that is built with ICU, as Debian's is.",
        )
    return ok("und-x-icu is there")


def connections() -> Finding:
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    workers = read_int("AI_MESSAGE_WORKERS", 2, low=1, high=256)
    wanted = workers * read_int("AI_MESSAGE_THREADS", 16, low=1, high=256)
    if connection.behind_pooler():  # type: ignore[attr-defined]
        return _pooled(wanted)
    reserved = int(_one("SHOW superuser_reserved_connections")) + SPARE_CONNECTIONS
    free = int(_one("SHOW max_connections")) - reserved
    found = f"This machine keeps up to {wanted} connections; the server has {free} for all of them."
    if wanted > free:
        return error(
            found, "Raise max_connections, or lower AI_MESSAGE_WORKERS or _THREADS, or use PgBouncer."
        )
    if wanted > free / 2:
        return warning(found, "A second machine of this kind needs a higher max_connections.")
    return ok(found)


def _pooled(wanted: int) -> Finding:
    if not settings.DATABASE_POOLER:
        return error(
            "A connection pooler stands before PostgreSQL, which the application was not told: a page of the"
            " admin may ask one connection for what another has.",
            "Set AI_MESSAGE_DATABASE_POOLER=1.",
        )
    return ok(f"This machine keeps up to {wanted} connections, to a pooler; its max_client_conn counts.")


def clock() -> Finding:
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    before = time()
    there = float(_one("SELECT extract(epoch FROM clock_timestamp())"))
    after = time()
    apart = max(before - there, there - after, 0.0)
    found = f"The clocks of this machine and of the database are {apart:.1f} s apart."
    advice = "Let both follow a time server (systemd-timesyncd, chrony)."
    if apart > CLOCK_WRONG:
        return error(found, advice)
    if apart > CLOCK_OFF:
        return warning(found, advice)
    return ok(found)


def indexes() -> Finding:
    # An interrupted CREATE INDEX CONCURRENTLY leaves an index that slows down writes and serves no query.
    if connection.vendor != "postgresql":
        return skipped(NOT_POSTGRESQL)
    rows = _rows("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
    broken = [name for (name,) in rows]
    if broken:
        return error(
            f"Half-built: {', '.join(broken)}.", f"DROP INDEX {broken[0]}; then run manage.py migrate again."
        )
    return ok("all valid")


def unfinished_import() -> Finding:
    # An import drops the indexes of messages, and builds them at its end.
    missing = SetAsideIndex.objects.values_list("name", flat=True)
    if missing:
        return error(
            f"Indexes are missing since an import was cut off: {', '.join(missing)}.",
            "Run manage.py import_backend with the same source again: it goes on, and builds them.",
        )
    return ok("no import is unfinished")


def journal() -> Finding:
    if connection.vendor != "sqlite":
        return skipped(NOT_SQLITE)
    mode = _one("PRAGMA journal_mode")
    if mode != "wal":
        return error(
            f"The journal mode is {mode}, so that readers and writers wait for each other.",
            "Put the database on a local disk, in a folder that the server may write to.",
        )
    return ok("WAL")


def file_system(mounts: Path = Path("/proc/mounts")) -> Finding:
    if connection.vendor != "sqlite":
        return skipped(NOT_SQLITE)
    file = Path(connection.settings_dict["NAME"]).absolute()
    if not os.access(file.parent, os.W_OK):
        return error(
            f"{file.parent} cannot be written to.", "chown the folder, and not only the file, to the server."
        )
    kind = _file_system_of(file, mounts)
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.sshfs"):
        return error(
            f"{file} lies on a network file system ({kind}), where SQLite's locks do not hold.",
            "Move it to a local disk; several machines need PostgreSQL.",
        )
    return ok(kind or "local")


def _file_system_of(file: Path, mounts: Path) -> str:
    """The file system of the innermost mount that `file` lies on; of equal mounts the last one counts."""
    best, kind = "", ""
    for line in mounts.read_text().splitlines() if mounts.exists() else []:
        _, point, found, *_ = line.split()
        if file.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def shared_counts() -> Finding:
    if connection.vendor == "sqlite":
        return ok("throttles, lockouts and sessions hold for this machine; a second one needs PostgreSQL")
    backend = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    return ok(f"throttles, lockouts and sessions stand in the database, not in the cache ({backend})")
