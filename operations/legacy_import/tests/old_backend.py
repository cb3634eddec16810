"""Databases as the former backend made them with SQLAlchemy, and rows to put into them."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from aimessage.environment import SQLALCHEMY_DRIVER
from operations.legacy_import.source import SHAPES

#: By table: each column with its type and what SQLAlchemy wrote after it.
TABLES: dict[str, list[tuple[str, str, str]]] = {
    "users": [
        ("username", "VARCHAR(100)", "NOT NULL UNIQUE"),
        ("email", "VARCHAR(255)", "NOT NULL UNIQUE"),
        ("hashed_password", "VARCHAR(255)", "NOT NULL"),
        ("is_active", "BOOLEAN", ""),
        ("is_superuser", "BOOLEAN", ""),
        ("full_name", "VARCHAR(255)", ""),
        ("bio", "TEXT", ""),
        ("phone_number", "VARCHAR(20)", ""),
    ],
    "roles": [
        ("name", "VARCHAR(100)", "NOT NULL UNIQUE"),
        ("description", "VARCHAR(255)", ""),
    ],
    "user_roles": [
        ("user_id", "INTEGER", "NOT NULL REFERENCES users (id)"),
        ("role_id", "INTEGER", "NOT NULL REFERENCES roles (id)"),
    ],
    "sessions": [
        ("user_id", "INTEGER", "NOT NULL REFERENCES users (id)"),
        ("session_token", "VARCHAR(255)", "NOT NULL UNIQUE"),
        ("device_info", "VARCHAR(255)", ""),
        ("ip_address", "VARCHAR(50)", ""),
        ("is_active", "BOOLEAN", ""),
        ("expires_at", "TIMESTAMP", "NOT NULL"),
    ],
    "refresh_tokens": [
        ("user_id", "INTEGER", "NOT NULL REFERENCES users (id)"),
        ("token", "VARCHAR(255)", "NOT NULL UNIQUE"),
        ("expires_at", "TIMESTAMP", "NOT NULL"),
        ("is_used", "BOOLEAN", ""),
    ],
    "messages": [
        ("sender_id", "INTEGER", "NOT NULL"),
        ("recipient_id", "INTEGER", "NOT NULL"),
        ("content", "TEXT", "NOT NULL"),
        ("is_read", "BOOLEAN", ""),
        ("parent_id", "INTEGER", ""),
        ("conversation_id", "VARCHAR(100)", ""),
    ],
    "reports": [
        ("reporter_id", "INTEGER", "NOT NULL REFERENCES users (id)"),
        ("title", "VARCHAR(255)", "NOT NULL"),
        ("content", "TEXT", "NOT NULL"),
        ("status", "VARCHAR(50)", ""),
        ("comment", "TEXT", ""),
        ("resolved_at", "TIMESTAMP", ""),
        ("resolved_by", "INTEGER", "REFERENCES users (id)"),
    ],
}
TIMES = [("created_at", "TIMESTAMP", ""), ("updated_at", "TIMESTAMP", "")]
NOON = "2025-03-01 12:00:00.000000"
#: A hash of the password `brass-anchor-19`, cheap to check.
HASH = "$2b$04$4ZFSez/Fz3.1f1Dd30m6zePYEJLMeTPP08fQM.lKtUzGIO8.iisai"
DEFAULTS: dict[str, dict[str, Any]] = {
    "users": {"hashed_password": HASH, "is_active": True, "is_superuser": False},
    "messages": {"content": "hello", "is_read": False},
    "reports": {"title": "Spam", "content": "Please look.", "status": "open"},
}


class OldBackend:
    """A database of the former backend.

    `loose` leaves its constraints out, `without` tables and columns; not `fresh` opens one there is.
    """

    def __init__(
        self, url: str, *, loose: bool = False, without: Sequence[str] = (), fresh: bool = True
    ) -> None:
        self.url = url
        url = SQLALCHEMY_DRIVER.sub(r"\1://", url)
        self.connection: Any
        if url.startswith("sqlite"):
            self.place = "?"
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        else:
            self.place = "%s"
            self.connection = psycopg.connect(url)
        for table, columns in TABLES.items():
            if fresh and table not in without:
                shown = [column for column in [*columns, *TIMES] if f"{table}.{column[0]}" not in without]
                self._create(table, shown, loose)
        self.commit()

    def _create(self, table: str, columns: list[tuple[str, str, str]], loose: bool) -> None:
        is_sqlite = self.place == "?"
        lines = ["id INTEGER NOT NULL PRIMARY KEY" if is_sqlite else "id SERIAL PRIMARY KEY"]
        for name, kind, constraint in columns:
            if is_sqlite:
                kind = kind.replace("TIMESTAMP", "DATETIME")
            lines.append(f"{name} {kind} {'' if loose else constraint}")
        self.connection.execute(f"CREATE TABLE {table} ({', '.join(lines)})")

    def add(self, table: str, **values: Any) -> None:
        times = {"created_at": NOON, "updated_at": NOON}
        row = {**DEFAULTS.get(table, {}), **times, **values}
        row = {name: value for name, value in row.items() if value is not ...}
        if self.place == "?":
            row = {name: str(value) if isinstance(value, datetime) else value for name, value in row.items()}
        places = ", ".join([self.place] * len(row))
        self.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", [*row.values()])

    def user(self, pk: Any, username: Any = ..., **values: Any) -> None:
        name = f"user{pk}" if username is ... else username
        self.add("users", **{"id": pk, "username": name, "email": f"user{pk}@example.org", **values})

    def message(self, pk: Any, sender: Any, recipient: Any, **values: Any) -> None:
        self.add("messages", **{"id": pk, "sender_id": sender, "recipient_id": recipient, **values})

    def report(self, pk: Any, reporter: Any, **values: Any) -> None:
        self.add("reports", **{"id": pk, "reporter_id": reporter, **values})

    def add_many(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        names = ", ".join(columns)
        if self.place == "?":
            places = ", ".join("?" * len(columns))
            self.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
            return
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def execute(self, query: str, *parameters: Any) -> list[Any]:
        cursor = self.connection.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []

    def commit(self) -> None:
        self.connection.commit()

    def close(self) -> None:
        self.connection.close()


assert set(SHAPES) <= set(TABLES)
