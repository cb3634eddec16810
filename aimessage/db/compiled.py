"""Queries that are compiled to SQL once per process, and afterwards only given their values.

Building a queryset and compiling it costs Django several times what PostgreSQL needs to answer it. A query
that is always the same but for its values is therefore built with a `Param` in the place of each value,
compiled at its first use, and from then on sent with the values that a request has. PostgreSQL, too, plans
it once for each connection (aimessage/db/postgresql).

    UNREAD = CompiledQuery(lambda: Message.objects.count_unread_by(Param("user")))
    UNREAD.rows(user=request.user)
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Model, QuerySet
from django.db.models.sql import InsertQuery, Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from psycopg.types.numeric import Int8

Row = tuple[Any, ...]

#: Fields whose values the driver reads the same from either of PostgreSQL's formats.
_PLAIN = {
    *("AutoField", "BigAutoField", "BigIntegerField", "IntegerField", "PositiveIntegerField", "ForeignKey"),
    *("BooleanField", "CharField", "DateTimeField", "EmailField", "TextField"),
}


class Param(Expression):
    """A bind parameter: stands in a compiled query where each call puts a value, by this name.

    It takes the place of an integer, a text, a time, or an object, which is sent as its primary key. Code
    that builds the queryset cannot look at it: asking it for `pk` is an AttributeError. Django writes LIMIT
    and OFFSET into the SQL, so that they cannot be parameters.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        # The compiler hands parameters through as they are, so that it is found again among them.
        return "%s", [self]


class _Statement:
    """SQL, and for each of its placeholders a constant or the Param whose value goes there."""

    def __init__(self, query: Query) -> None:
        compiler: Any = query.get_compiler(connection=connection)
        self.sql, params = compiler.as_sql()
        self.params = list(params)
        self.names = {param.name for param in params if isinstance(param, Param)}
        selected = (getattr(compiler, "select", None) or ())[: getattr(compiler, "col_count", None) or 0]
        columns: list[Any] = [column for column, *_ in selected]
        self.converters = [(n, *found) for n, found in compiler.get_converters(columns).items()]
        self.plain = all(column.output_field.get_internal_type() in _PLAIN for column in columns)

    def execute(self, values: Mapping[str, Any], *, binary: bool = False) -> Any:
        """The cursor after the statement ran. Raises TypeError for a value that no Param takes."""
        if values.keys() != self.names:
            raise TypeError(f"The query takes {sorted(self.names)}, not {sorted(values)}")
        database = connections[DEFAULT_DB_ALIAS]
        bound = {name: _value(value, database) for name, value in values.items()}
        params = [bound[one.name] if isinstance(one, Param) else one for one in self.params]
        cursor = _cursor(database, binary=binary)
        cursor.execute(self.sql, params)
        return cursor

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = self.execute(values, binary=self.plain).fetchall()
        return [self._converted(row) for row in rows] if self.converters else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for number, functions, expression in self.converters:
            for convert in functions:
                values[number] = convert(values[number], expression, connection)
        return tuple(values)


class CompiledQuery:
    """`build` returns a queryset of tuples that holds a Param for each value. It runs once."""

    def __init__(self, build: Callable[[], QuerySet[Model, object]]) -> None:
        self.build = build

    @cached_property
    def _statement(self) -> _Statement:
        return _Statement(self.build().query)

    def rows(self, **values: object) -> list[Row]:
        return self._statement.rows(values)


class CompiledUpdate:
    """`build()` returns the queryset whose rows get `columns`; in both, a Param stands for a value."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]], **columns: object) -> None:
        self.build = build
        self.columns = columns

    @cached_property
    def _statement(self) -> _Statement:
        query: Any = self.build().query.chain(UpdateQuery)
        query.add_update_values(self.columns)
        return _Statement(query)

    def execute(self, **values: object) -> int:
        """Returns how many rows there were."""
        changed: int = self._statement.execute(values).rowcount
        return changed


class CompiledInsert:
    """`instance.save(force_insert=True)` of new rows of a model that no signal is about."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    def insert(self, instance: Model) -> None:
        """Inserts the row, and gives `instance` the key that the database gave it."""
        database = connections[DEFAULT_DB_ALIAS]
        # As a save does, which lets a field have the last word on its value.
        values = [field.pre_save(instance, add=True) for field in self._fields]
        written = [
            field.get_db_prep_save(value, database) for field, value in zip(self._fields, values, strict=True)
        ]
        cursor = _cursor(database)
        cursor.execute(self._sql, written)
        ((instance.pk,),) = cursor.fetchall()
        instance._state.adding, instance._state.db = False, database.alias

    @cached_property
    def _fields(self) -> list[Any]:
        return [field for field in self.model._meta.concrete_fields if not field.primary_key]

    @cached_property
    def _sql(self) -> str:
        query = InsertQuery(self.model)
        query.insert_values(self._fields, [self.model()], raw=True)
        compiler = cast(Any, query.get_compiler(connection=connection))
        compiler.returning_fields = [self.model._meta.pk]
        ((sql, _),) = compiler.as_sql()
        return str(sql)


def execute(sql: str, values: Sequence[Any]) -> None:
    """Executes a statement that comes again and again, so that PostgreSQL keeps one plan of it."""
    database = connections[DEFAULT_DB_ALIAS]
    _cursor(database).execute(sql, [_value(value, database) for value in values])


def _cursor(database: Any, *, binary: bool = False) -> Any:
    """A cursor for statements that come again and again; on PostgreSQL its connection's own."""
    planned = getattr(database, "planned_cursor", None)
    return database.cursor() if planned is None else planned(binary=binary)


def _value(value: object, database: BaseDatabaseWrapper) -> Any:
    """A value as the database's driver takes it."""
    if isinstance(value, Model):
        value = value.pk
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    if isinstance(value, int) and not isinstance(value, bool) and database.vendor == "postgresql":
        # The driver would send a small number as a smaller type, which makes another statement.
        return Int8(value)
    return value
