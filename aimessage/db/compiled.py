"""Querysets that are turned into SQL once per process, and from then on only given their values.

To build a queryset and compile it costs Django several times what PostgreSQL needs to answer it. Where a
query is always the same but for its values, it is compiled once with stand-ins for them; wherever one
turns up in the SQL or its parameters, later calls put the value. PostgreSQL plans it once, too, for each
connection (aimessage/db/postgresql).
"""

import re
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.sql import InsertQuery, Query, UpdateQuery
from psycopg.types.numeric import Int8

Row = tuple[Any, ...]

#: Statements of one query. Clients choose among its shapes, some of which are many (words of a search).
KEPT_AT_MOST = 500

#: Stand-ins are so unlikely that no query has one by chance.
_NUMBER = 2**62 + 20_260_102
_TEXT = "\ue000stand-in {}\ue001"
_TIME = datetime(1, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


#: Fields whose values the driver reads the same from either of PostgreSQL's formats.
_PLAIN = {
    *("AutoField", "BigAutoField", "BigIntegerField", "IntegerField", "PositiveIntegerField", "ForeignKey"),
    *("BooleanField", "CharField", "DateTimeField", "EmailField", "TextField"),
}


class Prepared:
    """`Prepared(lambda user, stop: Message.objects.sent_by(user).values_list("id")[:stop])`.

    `build` returns a queryset of tuples. It must not look at what it is given: that is a stand-in, of the
    type that the argument has (an integer, a text, a time, or an object, of which the primary key counts).
    What it may look at, it takes by keyword.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self.build = build
        self.statements: dict[Hashable, _Statement] = {}

    def rows(self, *arguments: Any, planned_by_value: bool = False, **shape: Hashable) -> list[Row]:
        """The rows for these arguments. Every `shape` makes, and keeps, a statement of its own.

        With `planned_by_value` PostgreSQL plans each time, for these arguments.
        """
        database = connections[DEFAULT_DB_ALIAS]
        key = (database.vendor, *shape.items())
        statement = self.statements.get(key)
        if statement is None:
            if len(self.statements) >= KEPT_AT_MOST:
                self.statements.clear()
            statement = self.statements[key] = _Statement(self._query, arguments, shape)
        return statement.rows(database, arguments, planned_by_value=planned_by_value)

    def _query(self, *arguments: Any, **shape: Any) -> Query:
        return self.build(*arguments, **shape).query


class PreparedUpdate:
    """`queryset.update(**values)`, both functions of the same arguments."""

    def __init__(
        self, build: Callable[..., QuerySet[Any, Any]], values: Callable[..., dict[str, Any]]
    ) -> None:
        self.build = build
        self.values = values
        self.statements: dict[str, _Statement] = {}

    def execute(self, *arguments: Any) -> int:
        """Returns how many rows there were."""
        database = connections[DEFAULT_DB_ALIAS]
        statement = self.statements.get(database.vendor)
        if statement is None:
            statement = self.statements[database.vendor] = _Statement(self._query, arguments, {})
        return statement.execute(database, arguments)

    def _query(self, *arguments: Any) -> Query:
        query: Any = self.build(*arguments).query.chain(UpdateQuery)
        query.add_update_values(self.values(*arguments))
        return cast(Query, query)


class PreparedInsert:
    """`instance.save(force_insert=True)` of new rows of a model that no signal is about."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.statements: dict[str, str] = {}

    def insert(self, instance: Model) -> None:
        """Inserts the row, and gives `instance` the key that the database gave it."""
        database = connections[DEFAULT_DB_ALIAS]
        sql = self.statements.get(database.vendor)
        if sql is None:
            sql = self.statements[database.vendor] = self._compiled()
        # As a save does, which lets a field have the last word on its value.
        values = [field.pre_save(instance, add=True) for field in self._fields]
        written = [
            field.get_db_prep_save(value, database) for field, value in zip(self._fields, values, strict=True)
        ]
        cursor = _cursor(database)
        cursor.execute(sql, written)
        ((instance.pk,),) = cursor.fetchall()
        instance._state.adding, instance._state.db = False, database.alias

    @cached_property
    def _fields(self) -> list[Any]:
        return [field for field in self.model._meta.concrete_fields if not field.primary_key]

    def _compiled(self) -> str:
        query = InsertQuery(self.model)
        query.insert_values(self._fields, [self.model()], raw=True)
        compiler = cast(Any, query.get_compiler(connection=connection))
        compiler.returning_fields = [self.model._meta.pk]
        ((sql, _),) = compiler.as_sql()
        return str(sql)


def execute(sql: str, values: Sequence[Any]) -> None:
    """Executes a statement that comes again and again, so that PostgreSQL keeps one plan of it."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "postgresql":
        values = _wide(values)
    _cursor(database).execute(sql, values)


class _Statement:
    def __init__(self, make: Callable[..., Query], arguments: Row, shape: dict[str, Any]) -> None:
        stand_ins = [_stand_in(argument, number) for number, argument in enumerate(arguments)]
        compiler = make(*stand_ins, **shape).get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        self.sql, self.slots = _slots(sql, params, [_value(stand_in, connection) for stand_in in stand_ins])
        missing = set(range(len(arguments))) - {number for number, _ in self.slots}
        if missing:
            raise TypeError(f"The query makes no use of argument {min(missing)}, or looks at it: {sql}")
        selected = (compiler.select or ())[: getattr(compiler, "col_count", 0)]
        columns: list[Any] = [column for column, *_ in selected]
        converters = compiler.get_converters(columns)
        self.converters = [(index, *found) for index, found in converters.items()]
        self.plain = all(column.output_field.get_internal_type() in _PLAIN for column in columns)

    def _params(self, database: BaseDatabaseWrapper, arguments: Row) -> list[Any]:
        values = [_value(argument, database) for argument in arguments]
        if database.vendor == "postgresql":
            values = _wide(values)
        return [constant if number is None else values[number] for number, constant in self.slots]

    def execute(self, database: BaseDatabaseWrapper, arguments: Row) -> int:
        cursor = _cursor(database)
        cursor.execute(self.sql, self._params(database, arguments))
        changed: int = cursor.rowcount
        return changed

    def rows(self, database: BaseDatabaseWrapper, arguments: Row, *, planned_by_value: bool) -> list[Row]:
        cursor = database.cursor() if planned_by_value else _cursor(database, binary=self.plain)
        cursor.execute(self.sql, self._params(database, arguments))
        rows: list[Row] = cursor.fetchall()
        return [self._converted(row) for row in rows] if self.converters else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for index, functions, expression in self.converters:
            for convert in functions:
                values[index] = convert(values[index], expression, connection)
        return tuple(values)


def _wide(values: Sequence[Any]) -> list[Any]:
    """The driver would send a small number as a smaller type, which makes another statement."""
    return [
        Int8(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in values
    ]


def _cursor(database: Any, *, binary: bool = False) -> Any:
    """A cursor for statements that come again and again; on PostgreSQL its connection's own."""
    quick = getattr(database, "quick_cursor", None)
    return database.cursor() if quick is None else quick(binary=binary)


def _stand_in(argument: Any, number: int) -> Any:
    match argument:
        case int():
            return _NUMBER + number
        case str():
            return _TEXT.format(number)
        case datetime():
            return _TIME + timedelta(days=number)
        case Model():
            return type(argument)(pk=_NUMBER + number)
    raise TypeError(f"A {type(argument).__name__} cannot be an argument of a prepared query")


def _value(argument: Any, database: Any) -> Any:
    """An argument as the database has it."""
    if isinstance(argument, Model):
        return argument.pk
    if isinstance(argument, datetime):
        return database.ops.adapt_datetimefield_value(argument)
    return argument


def _slots(sql: str, params: Any, stand_ins: list[Any]) -> tuple[str, list[tuple[int | None, Any]]]:
    """`sql` with a placeholder for each value, and for each the argument's number, or else a constant.

    Django writes the numbers of a LIMIT into the SQL itself.
    """
    slots: list[tuple[int | None, Any]] = []
    remaining = iter(params)
    written = {str(value): number for number, value in enumerate(stand_ins) if isinstance(value, int)}

    def take(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%%"
        if match[0] in written:
            slots.append((written[match[0]], None))
        else:
            value = next(remaining)
            # A driver's own kind of integer is one, too.
            same = [n for n, one in enumerate(stand_ins) if isinstance(value, type(one)) and one == value]
            slots.append((same[0], None) if same else (None, value))
        return "%s"

    sql = re.sub("|".join(["%%", "%s", *(rf"\b{literal}\b" for literal in written)]), take, sql)
    return sql, slots
