"""The database of the former backend, read and never written."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

from aimessage.environment import SQLALCHEMY_DRIVER
from operations.legacy_import.cells import read_id

#: Rows that are read, and written in one transaction, at a time.
BATCH = 2_000
#: Seconds to wait for a connection, or for somebody else's lock.
PATIENCE = 10


class SourceError(Exception):
    """The source cannot be read; the text is for the operator."""


class OldUser(NamedTuple):
    """Here and below: columns with a default may be missing, as in older versions of the schema."""

    id: Any
    username: Any
    email: Any
    hashed_password: Any
    is_active: Any = True
    is_superuser: Any = False
    full_name: Any = None
    bio: Any = None
    phone_number: Any = None
    created_at: Any = None
    updated_at: Any = None


class OldRole(NamedTuple):
    id: Any
    name: Any
    description: Any = None
    created_at: Any = None
    updated_at: Any = None


class OldUserRole(NamedTuple):
    id: Any
    user_id: Any
    role_id: Any


class OldMessage(NamedTuple):
    id: Any
    sender_id: Any
    recipient_id: Any
    content: Any
    is_read: Any = False
    parent_id: Any = None
    conversation_id: Any = None
    created_at: Any = None
    updated_at: Any = None


class OldReport(NamedTuple):
    id: Any
    reporter_id: Any
    title: Any
    content: Any
    status: Any = "open"
    comment: Any = None
    resolved_at: Any = None
    resolved_by: Any = None
    created_at: Any = None
    updated_at: Any = None


#: What is copied, in the order in which rows depend on each other.
SHAPES: dict[str, type[Any]] = {
    "users": OldUser,
    "roles": OldRole,
    "user_roles": OldUserRole,
    "messages": OldMessage,
    "reports": OldReport,
}
#: Without these it is no database of the former backend; it may have begun without the others.
REQUIRED = ["users", "messages"]
#: Not copied: their tokens are signed with keys that are gone.
LEFT_BEHIND = ["sessions", "refresh_tokens"]

#: A default as SQL, for a column that is missing.
_LITERALS = {None: "NULL", True: "1", False: "0", "open": "'open'"}


class Driver(Protocol):
    """What SQLite and PostgreSQL do each in their own way."""

    #: Where the source lies, without a password.
    name: str

    def columns(self, table: str) -> dict[str, str]:
        """Each column with what selects it; nothing where there is no such table."""

    def select(self, columns: str, table: str, rest: str, parameters: tuple[Any, ...]) -> Iterator[Any]:
        """Rows, as they come."""

    def stray_ids(self, table: str) -> str:
        """A condition for rows with an id that is no integer, empty where the column's type forbids it."""

    def last_given_id(self, table: str) -> int:
        """The highest id that was ever given, as far as the database knows."""

    def close(self) -> None: ...


class Source:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.name = driver.name
        self._columns = {table: driver.columns(table) for table in [*SHAPES, *LEFT_BEHIND]}
        self._check()

    def _check(self) -> None:
        for table in REQUIRED:
            if not self._columns[table]:
                raise SourceError(f"{self.name} is no database of the old backend: it has no table {table}.")
        for table, shape in SHAPES.items():
            required = [column for column in shape._fields if column not in shape._field_defaults]
            missing = [column for column in required if column not in self._columns[table]]
            if self._columns[table] and missing:
                raise SourceError(f"The table {table} of {self.name} lacks {', '.join(missing)}.")

    def has(self, table: str) -> bool:
        return bool(self._columns[table])

    def missing_columns(self, table: str) -> list[str]:
        return [column for column in SHAPES[table]._fields if column not in self._columns[table]]

    def count(self, table: str, *, after: int | None = None) -> int:
        if not self.has(table):
            return 0
        where = "" if after is None else f"WHERE id > {after:d}"
        [(count,)] = self.driver.select("count(*)", table, where, ())
        return int(count)

    def rows(self, table: str, *, after: int | None = None) -> Iterator[Any]:
        """The rows above the id `after`, by id. From the start on, first those whose id is no number."""
        if not self.has(table):
            return
        shape, found = SHAPES[table], self._columns[table]
        columns = ", ".join(
            found.get(column) or _LITERALS[shape._field_defaults[column]] for column in shape._fields
        )
        stray = self.driver.stray_ids(table)
        if stray and after is None:
            yield from map(shape._make, self.driver.select(columns, table, f"WHERE {stray}", ()))
        conditions = [f"NOT ({stray})"] if stray else []
        conditions += [] if after is None else [f"id > {after:d}"]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        yield from map(shape._make, self.driver.select(columns, table, f"{where} ORDER BY id", ()))

    def fingerprint(self) -> str:
        """What stays the same while the source is in use: its first account."""
        for user in self.rows("users"):
            return f"{user.id} {user.created_at}"
        return ""

    def highest_person_beside(self, person: int) -> int | None:
        """The highest account that a message names; None where none names `person`."""
        talks = f"WHERE sender_id = {person:d} OR recipient_id = {person:d} LIMIT 1"
        if not list(self.driver.select("id", "messages", talks, ())):
            return None
        people = self.driver.select("sender_id, recipient_id", "messages", "", ())
        return max((read_id(value) or 0 for pair in people for value in pair), default=0)

    def last_given_id(self, table: str) -> int:
        return self.driver.last_given_id(table) if self.has(table) else 0


class SQLiteDriver:
    def __init__(self, path: Path) -> None:
        self.name, self.path = f"sqlite:///{path}", path.resolve()
        if not path.is_file():
            raise SourceError(f"There is no file {path}.")
        self._connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=PATIENCE, isolation_level=None
        )
        # What is no UTF-8 is for `cells` to mend.
        self._connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        with self._telling():
            # Every query sees the database as it is at the first.
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(f"{self.name} cannot be read: {error}.") from error

    def columns(self, table: str) -> dict[str, str]:
        with self._telling():
            found = self._connection.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall()
        return {name: f'"{name}"' for (name,) in found}

    def select(self, columns: str, table: str, rest: str, parameters: tuple[Any, ...]) -> Iterator[Any]:
        with self._telling():
            cursor = self._connection.execute(f'SELECT {columns} FROM "{table}" {rest}', parameters)  # noqa: S608
            while rows := cursor.fetchmany(BATCH):
                yield from rows

    def stray_ids(self, table: str) -> str:
        return "typeof(id) <> 'integer'"

    def last_given_id(self, table: str) -> int:
        with suppress(sqlite3.OperationalError):  # no table counts by itself
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
                url, connect_timeout=PATIENCE, options="-c timezone=UTC", client_encoding="utf8"
            )
        except psycopg.Error as error:
            raise SourceError(f"{self.name} cannot be reached: {str(error).strip()}") from error
        # One snapshot for all tables, and no way to write.
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        self._numbers = count()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise SourceError(f"{self.name} cannot be read: {str(error).strip()}") from error

    def columns(self, table: str) -> dict[str, str]:
        query = """
            SELECT column_name, data_type FROM information_schema.columns
            WHERE table_name = %s AND table_schema = ANY (current_schemas(false))
        """
        with self._telling():
            found = self._connection.execute(query, [table]).fetchall()
        # Times as text: PostgreSQL knows some that Python does not, such as infinity.
        return {
            name: f'"{name}"::text' if re.match("timestamp|date|time", kind) else f'"{name}"'
            for name, kind in found
        }

    def select(self, columns: str, table: str, rest: str, parameters: tuple[Any, ...]) -> Iterator[Any]:
        query = sql.SQL(f'SELECT {columns} FROM "{table}" {rest}')  # noqa: S608
        # Named, and so on the server: the rows come in portions.
        with self._telling(), self._connection.cursor(name=f"rows{next(self._numbers)}") as cursor:
            cursor.itersize = BATCH
            yield from cursor.execute(query, parameters)

    def stray_ids(self, table: str) -> str:
        return ""

    def last_given_id(self, table: str) -> int:
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        # Who may read the tables may still not look at their sequences.
        with suppress(psycopg.Error), self._connection.transaction():
            row = self._connection.execute(query, [f'"{table}"']).fetchone()
            return int((row and row[0]) or 0)
        return 0

    def close(self) -> None:
        self._connection.close()


def open_source(url: str) -> Source:
    """The source that an SQLAlchemy URL names. Raises SourceError for what is none of the old backend's."""
    plain = SQLALCHEMY_DRIVER.sub(r"\1://", url.strip())
    scheme, _, rest = plain.partition("://")
    if scheme == "sqlite" and rest.startswith("/"):
        path = unquote(rest[1:].partition("?")[0])
        return Source(SQLiteDriver(Path(path)))
    if scheme in ("postgresql", "postgres"):
        return Source(PostgresDriver(f"postgresql://{rest}"))
    raise SourceError(
        "The URL must be the old backend's DATABASE_URL: sqlite:///./backend.db,"
        " sqlite:////srv/backend.db (four slashes for a full path) or"
        " postgresql://user:password@host:5432/name."
    )
