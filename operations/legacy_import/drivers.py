"""Connections to the former backend's database, which cannot write."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

#: Rows that are read at a time, and written in one transaction.
BATCH = 2_000
#: Seconds to wait for a connection or a lock.
TIMEOUT = 10

#: A row as the database gives it.
Cells = tuple[Any, ...]


class SourceError(Exception):
    """The source cannot be read; the text is for the operator."""


class Driver(Protocol):
    #: The URL of the source, without a password.
    name: str

    def columns(self, table: str) -> dict[str, str]:
        """Maps each column to the SQL that selects it; empty if there is no such table."""

    def select(self, columns: str, table: str, rest: str = "") -> Iterator[Cells]: ...

    def stray_ids(self, table: str) -> str:
        """The SQL condition for rows whose id is no integer; empty if the column's type forbids them."""

    def last_given_id(self, table: str) -> int:
        """The highest id that the sequence has given; 0 if the database does not know."""

    def close(self) -> None: ...


class SQLiteDriver:
    def __init__(self, path: Path) -> None:
        self.name, self.path = f"sqlite:///{path}", path.resolve()
        if not path.is_file():
            raise SourceError(f"There is no file {path}.")
        self._connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=TIMEOUT, isolation_level=None
        )
        # `cells` mends what is not UTF-8.
        self._connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        with self._errors_named():
            # One transaction, so that all queries read the same snapshot.
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(f"{self.name} cannot be read: {error}.") from error

    def columns(self, table: str) -> dict[str, str]:
        with self._errors_named():
            found = self._connection.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall()
        return {name: f'"{name}"' for (name,) in found}

    def select(self, columns: str, table: str, rest: str = "") -> Iterator[Cells]:
        with self._errors_named():
            cursor = self._connection.execute(f'SELECT {columns} FROM "{table}" {rest}')  # noqa: S608
            while rows := cursor.fetchmany(BATCH):
                yield from rows

    def stray_ids(self, table: str) -> str:
        return "typeof(id) <> 'integer'"

    def last_given_id(self, table: str) -> int:
        with suppress(sqlite3.OperationalError):  # sqlite_sequence exists only with AUTOINCREMENT
            query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
            return int((self._connection.execute(query, [table]).fetchone() or [0])[0] or 0)
        return 0

    def close(self) -> None:
        self._connection.close()


class PostgresDriver:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.name = f"postgresql://{parts.hostname or ''}{parts.path}"
        try:
            self._connection = psycopg.connect(
                url, connect_timeout=TIMEOUT, options="-c timezone=UTC", client_encoding="utf8"
            )
        except psycopg.Error as error:
            raise SourceError(f"{self.name} cannot be reached: {str(error).strip()}") from error
        # One snapshot for all tables, and no way to write.
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        self._numbers = count()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise SourceError(f"{self.name} cannot be read: {str(error).strip()}") from error

    def columns(self, table: str) -> dict[str, str]:
        query = """
            SELECT column_name, data_type FROM information_schema.columns
            WHERE table_name = %s AND table_schema = ANY (current_schemas(false))
        """
        with self._errors_named():
            found = self._connection.execute(query, [table]).fetchall()
        # Times are read as text: PostgreSQL has values that Python lacks, such as infinity.
        return {
            name: f'"{name}"::text' if re.match("timestamp|date|time", kind) else f'"{name}"'
            for name, kind in found
        }

    def select(self, columns: str, table: str, rest: str = "") -> Iterator[Cells]:
        query = sql.SQL(f'SELECT {columns} FROM "{table}" {rest}')  # noqa: S608
        # A named cursor is kept by the server, which sends the rows in portions.
        with self._errors_named(), self._connection.cursor(name=f"rows{next(self._numbers)}") as cursor:
            cursor.itersize = BATCH
            yield from cursor.execute(query)

    def stray_ids(self, table: str) -> str:
        return ""

    def last_given_id(self, table: str) -> int:
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        # A role that may read the tables may still be refused their sequences.
        with suppress(psycopg.Error), self._connection.transaction():
            row = self._connection.execute(query, [f'"{table}"']).fetchone()
            return int((row and row[0]) or 0)
        return 0

    def close(self) -> None:
        self._connection.close()
