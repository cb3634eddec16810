"""The tables of the former backend, read and never written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from aimessage.environment import SQLALCHEMY_DRIVER
from operations.legacy_import.cells import read_id
from operations.legacy_import.drivers import Driver, PostgresDriver, SourceError, SQLiteDriver


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
