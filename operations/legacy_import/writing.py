"""Writes many rows at once, with the ids and the times that they have."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

#: Before its version 3.32 SQLite took 999 parameters a query.
CHUNK = 900


def insert(objects: Sequence[Any], *, using: str, model: Any = None) -> None:
    """Inserts objects of one model, or whatever has its columns, as they are: nothing is set on them.

    Half as slow as `bulk_create`, whose `pre_save` would moreover make every row as old as the import.
    """
    if not objects:
        return
    model = model or type(objects[0])
    connection = connections[using]
    fields = [field for field in model._meta.local_concrete_fields if _is_given(field, objects[0])]
    quote = connection.ops.quote_name
    into = f"{quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"
    rows: Iterable[Any] = map(attrgetter(*(field.attname for field in fields)), objects)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(fields))
            adapted = _with_times_as_text(rows, fields, connection)
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", adapted)  # noqa: S608


def _is_given(field: Any, first: Any) -> bool:
    """Whether the database is not to count up by itself."""
    return not field.primary_key or getattr(first, field.attname) is not None


def _with_times_as_text(rows: Iterable[Any], fields: list[Any], connection: BaseDatabaseWrapper) -> list[Any]:
    times = [number for number, field in enumerate(fields) if isinstance(field, models.DateTimeField)]
    adapt = connection.ops.adapt_datetimefield_value
    adapted = [list(row) for row in rows]
    for row in adapted:
        for number in times:
            row[number] = adapt(row[number])
    return adapted


def raise_sequence(model: type[models.Model], least: int, *, using: str) -> None:
    """Lets the ids that the database gives begin above `least`; it never goes back."""
    if least < 1:
        return
    connection = connections[using]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
            sequence = cursor.fetchone()[0]
            cursor.execute(
                f"SELECT setval(%s, %s) FROM {sequence} WHERE last_value + is_called::int <= %s",  # noqa: S608
                [sequence, least, least],
            )
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = max(seq, %s) WHERE name = %s", [least, table])
            if not cursor.rowcount:
                cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, least])


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """As many of `items` at a time as every SQLite takes for parameters of a query."""
    rest = list(items)
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]
