"""The tables of the former backend, read and never written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from aimessage.environment import SQLALCHEMY_DRIVER
from operations.legacy_import.cells import read_id
from operations.legacy_import.drivers import Driver, PostgresDriver, SourceError, SQLiteDriver

# In SQLite a cell can hold anything. `id`, too, until `Copy` has checked it: from then on it is an int.
# Columns with a default are missing in older versions of the schema.


class OldUser(NamedTuple):
    id: Any
    username: object
    email: object
    hashed_password: object
    is_active: object = True
    is_superuser: object = False
    full_name: object = None
    bio: object = None
    phone_number: object = None
    created_at: object = None
    updated_at: object = None


class OldRole(NamedTuple):
    id: Any
    name: object
    description: object = None
    created_at: object = None
    updated_at: object = None


class OldUserRole(NamedTuple):
    id: Any
    user_id: object
    role_id: object


class OldMessage(NamedTuple):
    id: Any
    sender_id: object
    recipient_id: object
    content: object
    is_read: object = False
    parent_id: object = None
    conversation_id: object = None
    created_at: object = None
    updated_at: object = None


class OldReport(NamedTuple):
    id: Any
    reporter_id: object
    title: object
    content: object
    status: object = "open"
    comment: object = None
    resolved_at: object = None
    resolved_by: object = None
    created_at: object = None
    updated_at: object = None


TimedRow = OldUser | OldRole | OldMessage | OldReport
Row = TypeVar("Row", OldUser, OldRole, OldUserRole, OldMessage, OldReport)

#: The tables that are copied, in the order in which rows depend on each other.
SHAPES: dict[str, type[TimedRow | OldUserRole]] = {
    "users": OldUser,
    "roles": OldRole,
    "user_roles": OldUserRole,
    "messages": OldMessage,
    "reports": OldReport,
}
TABLES = {shape: table for table, shape in SHAPES.items()}
#: Tables that every database of the former backend has.
REQUIRED = ["users", "messages"]
#: Not copied: their tokens are signed with keys that are gone.
LEFT_BEHIND = ["sessions", "refresh_tokens"]

#: A default as SQL, for a column that is missing.
_LITERALS = {None: "NULL", True: "1", False: "0", "open": "'open'"}


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
        [(count,)] = self.driver.select("count(*)", table, where)
        return int(count)

    def rows(self, shape: type[Row], *, after: int | None = None) -> Iterator[Row]:
        """Yields rows by id, from `after` on. From the start, rows whose id is no integer come first."""
        table = TABLES[shape]
        if not self.has(table):
            return
        found = self._columns[table]
        columns = ", ".join(
            found.get(column) or _LITERALS[shape._field_defaults[column]] for column in shape._fields
        )
        stray = self.driver.stray_ids(table)
        if stray and after is None:
            yield from map(shape._make, self.driver.select(columns, table, f"WHERE {stray}"))
        conditions = [f"NOT ({stray})"] if stray else []
        conditions += [] if after is None else [f"id > {after:d}"]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        yield from map(shape._make, self.driver.select(columns, table, f"{where} ORDER BY id"))

    def fingerprint(self) -> str:
        # The first account stays the same while the former backend goes on running.
        for user in self.rows(OldUser):
            return f"{user.id} {user.created_at}"
        return ""

    def highest_person_beside(self, person: int) -> int | None:
        """The highest account id in the messages; None if no message names `person`."""
        talks = f"WHERE sender_id = {person:d} OR recipient_id = {person:d} LIMIT 1"
        if not list(self.driver.select("id", "messages", talks)):
            return None
        people = self.driver.select("sender_id, recipient_id", "messages")
        return max((read_id(value) or 0 for pair in people for value in pair), default=0)

    def last_given_id(self, table: str) -> int:
        return self.driver.last_given_id(table) if self.has(table) else 0


def open_source(url: str) -> Source:
    """Opens the database that an SQLAlchemy URL names.

    Raises SourceError if it cannot be read or is no database of the former backend.
    """
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
