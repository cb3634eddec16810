"""Backs up PostgreSQL by pg_dump and pg_restore. Dump and digests are read from one exported snapshot."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from operations.maintenance.backup.client import Client
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import LEFT_OUT, NO_ROWS, Contents, Manifest, Table
from operations.maintenance.backup.progress import OnProgress, megabytes

SUFFIX = ".dump"
#: Seconds that pg_dump waits for a table that a migration has locked.
LOCK_TIMEOUT = 60
_POLL = 0.2

# Tables of extensions come back with their extension.
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
    ORDER BY 1
"""
# Functions that triggers call. Those of extensions come back with their extension.
_ROUTINES = """
    SELECT p.oid::regprocedure::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        )
    ORDER BY 1
"""
# pg_restore's script starts with settings; the second pattern is for other lines before the first object.
_SETTING = re.compile(rb"SET (\w+) = [^;\n]*;\n")
_BEFORE_OBJECTS = re.compile(rb"\s*\n|--.*\n|\\restrict .*\n|SELECT pg_catalog\.set_config\(.*\n")
# Settings on which the text of a row depends.
_TEXT_FORM = """
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';
    SET extra_float_digits = 1; SET bytea_output = 'hex';
"""
# The server has quoted the names. A sum, since rows have no order. SHA-256, since md5 is not allowed
# everywhere, and hashtext() differs between releases.
_DIGEST = """
    SELECT count(*), COALESCE(sum(
        ('x' || encode(substring(sha256(convert_to(whole_row::text, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint
    ), 0) FROM {table} AS whole_row
"""


def dump(connection: BaseDatabaseWrapper, target: Path, on_progress: OnProgress) -> Contents:
    """Writes a dump to `target`, and returns what it holds. Raises BackupError."""
    client = Client(connection)
    client.check_version()
    _refuse_pooler(connection)
    with _snapshot(connection) as (cursor, snapshot):
        command = ["--format=custom", "--no-owner", "--no-privileges", "--no-comments"]
        command += [f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_TIMEOUT}s", f"--file={target}"]
        command += [f"--exclude-table-data=*.{name}" for name in LEFT_OUT]
        with client.running("pg_dump", *command) as process:
            # Meanwhile pg_dump reads the same snapshot.
            contents = _read_contents(connection, cursor)
            while process.poll() is None:
                on_progress(f"{megabytes(target)} written")
                try:
                    process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    continue
    return contents


def check_dump(
    connection: BaseDatabaseWrapper, backup: Path, contents: Contents, on_progress: OnProgress
) -> None:
    """Reads the whole dump back. Raises BackupError if a table has another number of rows than `contents`."""
    found: dict[str, int] = {}
    with Client(connection).running("pg_restore", "--file=-", str(backup), stdout=subprocess.PIPE) as process:
        on_progress("reading it back")
        for name in _copied_rows(process.stdout or []):
            found[name] = found.get(name, -1) + 1
    expected = {name: table.rows for name, table in contents.tables.items() if not _is_left_out(name)}
    wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise BackupError(
            f"The dump is not what the database held: of {name} it has {found.get(name, 'no')} rows instead"
            f" of {expected.get(name, 'none')}."
        )


def load(connection: BaseDatabaseWrapper, backup: Path, manifest: Manifest, on_progress: OnProgress) -> None:
    """Replaces the database's contents by the backup and compares them with the manifest, in one transaction.

    Raises BackupError if anything goes wrong; then the database is unchanged.
    """
    client = Client(connection)
    client.check_version()
    _refuse_pooler(connection)
    with connection.cursor() as cursor:
        _refuse_other_sessions(cursor)
        cursor.execute("SELECT name FROM pg_settings")
        known = {name for (name,) in cursor.fetchall()}
        cursor.execute(_TABLES)
        present = [name for (name,) in cursor.fetchall()]
        cursor.execute(_ROUTINES)
        routines = [name for (name,) in cursor.fetchall()]
    # psql has a session of its own.
    connection.close()
    psql = ["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file=-"]
    on_progress("restoring")
    with client.running("psql", "--no-password", *psql, stdin=subprocess.PIPE) as loading:
        script = loading.stdin
        assert script is not None  # noqa: S101  as asked for
        # If psql has ended, `running` reports its error.
        with suppress(BrokenPipeError), closing(script):
            script.write(b"BEGIN;\n")
            if present:
                script.write(f"DROP TABLE {', '.join(present)} CASCADE;\n".encode())
            if routines:
                script.write(f"DROP ROUTINE {', '.join(routines)} CASCADE;\n".encode())
            with client.running("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(backup),
                                stdout=subprocess.PIPE) as reading:  # fmt: skip
                assert reading.stdout is not None  # noqa: S101  as asked for
                _copy_script(reading.stdout, script, known)
            # Not reached if pg_restore fails; then psql ends without a commit.
            script.write(f"{_TEXT_FORM}{_comparison(manifest.contents)}COMMIT;\n".encode())
    with connection.cursor() as cursor:
        on_progress("gathering statistics")
        cursor.execute("ANALYZE")


def _copy_script(reading: IO[bytes], script: IO[bytes], known: set[str]) -> None:
    """Copies pg_restore's script without settings that the server does not know.

    pg_restore 17 always sets transaction_timeout, which servers before 17 refuse.
    """
    for line in reading:
        setting = _SETTING.fullmatch(line)
        if setting is None or setting[1].decode() in known:
            script.write(line)
        if setting is None and not _BEFORE_OBJECTS.fullmatch(line):
            break
    shutil.copyfileobj(reading, script, 1 << 20)


def check_readable(connection: BaseDatabaseWrapper, backup: Path) -> None:
    """Raises BackupError if this machine's pg_restore is too old for the file."""
    client = Client(connection)
    with client.running("pg_restore", "--list", "--file=/dev/null", str(backup)):
        pass


@contextmanager
def _snapshot(connection: BaseDatabaseWrapper) -> Iterator[tuple[CursorWrapper, str]]:
    """Yields a cursor with a snapshot of the database, and the snapshot's name for other sessions."""
    own = connection.copy()
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SET LOCAL {timeout} = 0")
            cursor.execute("SELECT pg_export_snapshot()")
            yield cursor, cursor.fetchone()[0]
        own.rollback()
    finally:
        own.close()


def _read_contents(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> Contents:
    cursor.execute(_TEXT_FORM.replace("SET ", "SET LOCAL "))
    cursor.execute(_TABLES)
    names = [name for (name,) in cursor.fetchall()]
    tables = {}
    for name in names:
        if _is_left_out(name):
            tables[name] = NO_ROWS
            continue
        cursor.execute(_DIGEST.format(table=name))
        rows, digest = cursor.fetchone()
        tables[name] = Table(rows, str(digest))
    try:
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    except DatabaseError:
        raise BackupError("There is nothing to back up: the database has no table of migrations.") from None
    migrations = [f"{app}.{name}" for app, name in cursor.fetchall()]
    version = connection.pg_version  # type: ignore[attr-defined]
    return Contents("postgresql", f"{version // 10000}.{version % 10000}", migrations, tables)


def _is_left_out(name: str) -> bool:
    return name.rpartition(".")[2] in LEFT_OUT


def _copied_rows(script: Iterable[bytes]) -> Iterator[str]:
    """Yields a table's name when its COPY starts, and again for each row, so that empty tables count too."""
    table = None
    for line in script:
        if table is not None:
            if line == b"\\.\n":
                table = None
            else:
                yield table
        elif line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            table = line[5 : line.index(b" (")].decode()
            yield table


def _refuse_pooler(connection: BaseDatabaseWrapper) -> None:
    # pg_dump and psql empty the search path of their session, which a pooler would hand on to others.
    if connection.behind_pooler():  # type: ignore[attr-defined]
        raise BackupError(
            "A connection pooler stands before PostgreSQL. Name the server itself:"
            " DATABASE_URL=postgresql://… manage.py …"
        )


def _refuse_other_sessions(cursor: CursorWrapper) -> None:
    # What they write now would be lost.
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"  # not the server's own workers
    )
    others = cursor.fetchone()[0]
    if others:
        raise BackupError(
            f"{others} other connection(s) to this database are open. Stop the server first, and whatever"
            " else uses it."
        )


def _comparison(contents: Contents) -> str:
    """SQL that raises an error unless the tables are those of the manifest."""
    names = ", ".join(f"'{name}'" for name in contents.tables)
    checks = [
        f"IF EXISTS ({_TABLES.replace('ORDER BY 1', '')} EXCEPT SELECT unnest(ARRAY[{names}]::text[])) THEN"
        " RAISE EXCEPTION 'there are tables that the manifest does not name'; END IF;"
    ]
    for name, table in contents.tables.items():
        digest = _DIGEST.format(table=name)
        checks.append(
            f"IF NOT EXISTS (SELECT FROM ({digest}) AS found(rows, digest)"
            f" WHERE rows = {table.rows} AND digest = {table.digest})"
            f" THEN RAISE EXCEPTION 'the rows of {name} are not those of the manifest'; END IF;"
        )
    return "DO $compare$ BEGIN " + "\n".join(checks) + " END $compare$;\n"
