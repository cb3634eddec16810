"""Loads the rows of data.py into a migrated PostgreSQL."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import psycopg
from psycopg import sql

from tools.benchmarks.data import History, Shape, Table

#: Lines handed to the database at a time.
BATCH = 5_000
#: Their indexes and constraints are created after loading.
STRIPPED = ["messaging_message", "messaging_conversation", "messaging_participant"]


class SchemaError(Exception):
    """A table has a required column that the benchmark's rows lack."""


def batches(rows: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def load_postgresql(url: str, shape: Shape) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET maintenance_work_mem = '512MB'")
        put_back = _strip(connection, STRIPPED)
        for table in History(shape).tables():
            copy_table(connection, table)
        for statement in put_back:
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def copy_table(connection: "psycopg.Connection[tuple[object, ...]]", table: Table) -> None:
    _check_columns(connection, table)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    print(f"  {table.name}: {table.count:,} rows", file=sys.stderr, flush=True)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in batches(table.rows):
            copy.write("\n".join(batch) + "\n")
    if "id" in table.columns and table.name != "messaging_conversation":  # whose id is text
        name = sql.Identifier(table.name)
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(
                sql.Literal(table.name), name
            )
        )


def _check_columns(connection: "psycopg.Connection[tuple[object, ...]]", table: Table) -> None:
    missing = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
        " AND is_generated = 'NEVER' AND NOT column_name = ANY(%s)",
        [table.name, table.columns],
    ).fetchall()
    if missing:
        names = ", ".join(str(name) for (name,) in missing)
        raise SchemaError(f"{table.name} also needs {names}: teach tools/benchmarks/data.py to write it.")


def _strip(connection: "psycopg.Connection[tuple[object, ...]]", tables: list[str]) -> list[str]:
    """Drops keys and indexes of `tables`, except primary keys. Returns statements that restore them."""
    constraints = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE"
        " contype IN ('f', 'u') AND (conrelid::regclass::text = ANY(%(t)s)"
        " OR confrelid <> 0 AND confrelid::regclass::text = ANY(%(t)s)) ORDER BY contype = 'f' DESC",
        {"t": tables},
    ).fetchall()
    put_back = []
    for table, name, definition in constraints:
        which = sql.SQL("ALTER TABLE {} {} CONSTRAINT {}")
        parts = [sql.Identifier(str(table)), sql.SQL("DROP"), sql.Identifier(str(name))]
        connection.execute(which.format(*parts))
        parts[1] = sql.SQL("ADD")
        put_back.append((which.format(*parts).as_string(connection)) + f" {definition}")
    indexes = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE NOT indisprimary AND indrelid::regclass::text = ANY(%s)",
        [tables],
    ).fetchall()
    # Statistics targets of indexed expressions are not part of an index's definition.
    samples = connection.execute(
        "SELECT indexrelid::regclass::text, attnum, attstattarget FROM pg_index"
        " JOIN pg_attribute ON attrelid = indexrelid AND attstattarget >= 0"
        " WHERE NOT indisprimary AND indrelid::regclass::text = ANY(%s)",
        [tables],
    ).fetchall()
    for name, column, target in samples:
        which = sql.SQL("ALTER INDEX {} ALTER COLUMN {} SET STATISTICS {}")
        parts = [sql.Identifier(str(name)), sql.Literal(column), sql.Literal(target)]
        put_back.append(which.format(*parts).as_string(connection))
    for name, definition in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
        put_back.insert(0, str(definition))
    return put_back
