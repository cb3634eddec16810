"""Queries that are compiled to SQL once per process, and then only get new values.

Building and compiling a queryset takes Django several times as long as PostgreSQL needs to answer it. So a
query that differs only in its values is built with a `Param` for each value, compiled at its first use, and
sent with each request's values. PostgreSQL plans it once per connection (aimessage/db/postgresql).

    UNREAD = CompiledQuery(lambda: Message.objects.count_unread_by(Param("user")))
    UNREAD.rows(user=request.user)
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import InsertQuery, Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from psycopg.types.numeric import Int8

Row = tuple[Any, ...]

#: Fields that the driver reads to the same values from PostgreSQL's text and binary format.
_PLAIN = {
    *("AutoField", "BigAutoField", "BigIntegerField", "IntegerField", "PositiveIntegerField", "ForeignKey"),
    *("BooleanField", "CharField", "DateTimeField", "EmailField", "TextField"),
}


class Param(Expression):
    """A named bind parameter of a compiled query: an integer, a text, a time, or an object (sent as its pk).

    Code that builds the queryset cannot read its value: `pk` raises AttributeError. LIMIT and OFFSET cannot
    be parameters, since Django writes them into the SQL.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        # The compiler passes parameters on as they are, so _Statement finds it among them.
        return "%s", [self]


class _Statement:
    """SQL, and for each placeholder a constant or a Param."""

    def __init__(self, query: Query) -> None:
        compiler = query.get_compiler(connection=connection)
        self.sql, params = compiler.as_sql()
        self.params: list[Any] = list(params)
        self.names = {param.name for param in self.params if isinstance(param, Param)}
        selected = (getattr(compiler, "select", None) or ())[: getattr(compiler, "col_count", None) or 0]
        columns = [column for column, *_ in selected]
        self.converters = [(n, *found) for n, found in compiler.get_converters(columns).items()]
        self.plain = all(column.output_field.get_internal_type() in _PLAIN for column in columns)

    def execute(self, values: Mapping[str, object], *, binary: bool = False) -> CursorWrapper:
        """Raises TypeError unless there is exactly one value for each Param."""
        if values.keys() != self.names:
            raise TypeError(f"The query takes {sorted(self.names)}, not {sorted(values)}")
        database = connections[DEFAULT_DB_ALIAS]
        bound = {name: _value(value, database) for name, value in values.items()}
        params = [bound[one.name] if isinstance(one, Param) else one for one in self.params]
        cursor = _cursor(database, binary=binary)
        cursor.execute(self.sql, params)
        return cursor

    def rows(self, values: Mapping[str, object]) -> list[Row]:
        rows: list[Row] = self.execute(values, binary=self.plain).fetchall()
        return [self._converted(row) for row in rows] if self.converters else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for number, functions, expression in self.converters:
            for convert in functions:
                values[number] = convert(values[number], expression, connection)
        return tuple(values)


class CompiledQuery:
    """`build` runs once, and returns a queryset of tuples with a Param for each value."""

    def __init__(self, build: Callable[[], QuerySet[Model, object]]) -> None:
        self.build = build

    @cached_property
    def _statement(self) -> _Statement:
        return _Statement(self.build().query)

    def rows(self, **values: object) -> list[Row]:
        return self._statement.rows(values)


class CompiledUpdate:
    """Sets `columns` on the rows of `build()`, which runs once; both may contain a Param."""

    def __init__(self, build: Callable[[], QuerySet[Model]], **columns: object) -> None:
        self.build = build
        self.columns = columns

    @cached_property
    def _statement(self) -> _Statement:
        query: Any = self.build().query.chain(UpdateQuery)
        query.add_update_values(self.columns)
        return _Statement(query)

    def execute(self, **values: object) -> int:
        changed: int = self._statement.execute(values).rowcount
        return changed


class CompiledInsert:
    """As `instance.save(force_insert=True)`, but without signals."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def insert(self, instance: Model) -> None:
        database = connections[DEFAULT_DB_ALIAS]
        # Like save(): a field's pre_save may change its value.
        values = [field.pre_save(instance, add=True) for field in self._fields]
        written = [
            field.get_db_prep_save(value, database) for field, value in zip(self._fields, values, strict=True)
        ]
        cursor = _cursor(database)
        cursor.execute(self._sql, written)
        ((instance.pk,),) = cursor.fetchall()
        instance._state.adding, instance._state.db = False, database.alias

    @cached_property
    def _fields(self) -> list[Field]:
        return [field for field in self.model._meta.concrete_fields if not field.primary_key]

    @cached_property
    def _sql(self) -> str:
        query = InsertQuery(self.model)
        query.insert_values(self._fields, [self.model()], raw=True)
        compiler: Any = query.get_compiler(connection=connection)
        compiler.returning_fields = [self.model._meta.pk]
        ((sql, _),) = compiler.as_sql()
        return str(sql)


def execute(sql: str, values: Sequence[object]) -> None:
    """For a statement that is executed often, so that PostgreSQL keeps its plan."""
    database = connections[DEFAULT_DB_ALIAS]
    _cursor(database).execute(sql, [_value(value, database) for value in values])


def _cursor(database: BaseDatabaseWrapper, *, binary: bool = False) -> CursorWrapper:
    # Only our backend for PostgreSQL has one.
    planned = getattr(database, "planned_cursor", None)
    return database.cursor() if planned is None else planned(binary=binary)


def _value(value: object, database: BaseDatabaseWrapper) -> Any:
    if isinstance(value, Model):
        value = value.pk
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    if isinstance(value, int) and not isinstance(value, bool) and database.vendor == "postgresql":
        # The driver sends small numbers as a smaller type, which PostgreSQL prepares as another statement.
        return Int8(value)
    return value
