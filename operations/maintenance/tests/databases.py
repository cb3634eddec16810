"""Whole databases for the tests of backups, which no transaction of a test can hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.db import connection, connections

Rows = dict[str, list[tuple[Any, ...]]]


class Databases:
    """Makes databases next to the one of the test run, of the same kind, and removes them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, list[str]()
        self.prefix = connection.settings_dict["NAME"]

    def make(self, template: str | None = None) -> str:
        """An empty database, or a copy of `template`; its name."""
        short = uuid4().hex[:8]
        if connection.vendor == "sqlite":
            name = str(self.folder / f"{short}.sqlite3")
            if template:
                Path(name).write_bytes(Path(template).read_bytes())
        else:
            name = f"{self.prefix}_{short}"
            self._run(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        self.made.append(name)
        return name

    @contextmanager
    def use(self, name: str) -> Iterator[None]:
        """Lets everything, in every thread, work on that database."""
        before, settings = connections["default"], connections.settings["default"]
        connections.settings["default"] = {**settings, "NAME": name}
        connections["default"] = connections.create_connection("default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"], connections.settings["default"] = before, settings

    def drop_all(self) -> None:
        if connection.vendor != "sqlite":
            for name in self.made:
                self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with connection._nodb_cursor() as cursor:
            # After a test's first request connections are bounded as a server's are, but a whole database,
            # and the checkpoint that each of them asks for, may take longer.
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(statement)


def migrate(name: str, databases: Databases) -> None:
    with databases.use(name):
        call_command("migrate", verbosity=0)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=DELETE")


def all_rows() -> Rows:
    """Every row of every table, as it is stored."""
    rows: Rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  its name
            rows[table] = sorted(cursor.fetchall(), key=repr)
    return rows


def all_indexes() -> set[Any]:
    """Every index and constraint, as the database itself describes it."""
    if connection.vendor == "sqlite":
        queries = ["SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"]
    else:
        queries = [
            # A condition reads differently once it was written out and read again.
            "SELECT split_part(indexdef, ' WHERE ', 1), indexdef LIKE '% WHERE %'"
            " FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conrelid::regclass::text, conname, convalidated,"
            " CASE WHEN contype <> 'c' THEN pg_get_constraintdef(oid) END"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
            "SELECT table_name, column_name, data_type, is_nullable, is_identity"
            " FROM information_schema.columns WHERE table_schema = 'public'",
        ]
    described = set()
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(query)
            described |= set(cursor.fetchall())
    return described
