"""What a list reads: rows of what its serializer shows, a page at a time, wherever the page begins."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from rest_framework.serializers import BaseSerializer

from aimessage.api.lists.filters import Filters, Narrowing
from aimessage.api.shapes import Shape, shape_of
from aimessage.db.compiled import Prepared, Row

Branch = Callable[..., QuerySet[Any, Any]]

#: What lies on the other side of a cursor, itself included.
_REST = {"lt": "gte", "gt": "lte"}


class Listing:
    """`Listing(MessageSerializer, Message.objects.sent_by, Message.objects.received_by)`.

    The branches are functions of the list's arguments (the user, a conversation's id), each of which
    returns a queryset; they must not look at what they are given (aimessage/db/compiled.py). The first
    argument is the user that filters know of. Several branches are disjoint, and merged: for
    `sender = me OR recipient = me` two limited index scans cost what the page costs, the OR costs the user's
    whole history. Items are numbered by `cursor_field`.
    """

    def __init__(
        self, serializer: type[BaseSerializer[Any]], *branches: Branch, cursor_field: str = "id"
    ) -> None:
        self.serializer = serializer
        self.branches = branches
        self.cursor_field = cursor_field
        self.prepared, self.skipping = Prepared(self._prepare), Prepared(self._skip)

    @cached_property
    def shape(self) -> Shape:
        return shape_of(self.serializer)  # type: ignore[arg-type]  # a class is hashable

    @cached_property
    def columns(self) -> list[str]:
        shown = self.shape.columns
        return shown if self.cursor_field in shown else [*shown, self.cursor_field]

    @cached_property
    def _cursor_index(self) -> int:
        return self.columns.index(self.cursor_field)

    def cursor(self, row: Row) -> int:
        number: int = row[self._cursor_index]
        return number

    def take(
        self,
        arguments: tuple[Any, ...],
        *,
        newest: bool,
        stop: int,
        operator: str = "",
        cursor: int | None = None,
        skip: int = 0,
        narrow: Narrowing | None = None,
    ) -> list[Row]:
        """The `stop` newest items, or oldest, whose cursor is `operator` (lt, gt, ...) than `cursor`.

        `narrow` filters them. `skip` leaves out so many before them, in time that grows with it.
        """
        filters, filtered = narrow or (None, ())
        values = (*arguments, *filtered, *(() if cursor is None else (cursor,)))
        if skip:
            limited = self._in_one and len(self.branches) > 1
            edges = (skip + stop, skip, stop) if limited else (skip, stop)
            rows = partial(self._rows, self.skipping, filters, *values, *edges)
            return rows(newest=newest, operator=operator, limited=limited)
        read = partial(self._rows, self.prepared, filters, *values, stop, newest=newest, operator=operator)
        if self._in_one:
            return read(only=None)
        parts = [read(only=number) for number in range(len(self.branches))]
        return sorted((row for part in parts for row in part), key=self.cursor, reverse=newest)[:stop]

    def take_around(
        self,
        arguments: tuple[Any, ...],
        *,
        stop: int,
        operator: str,
        cursor: int,
        narrow: Narrowing | None = None,
    ) -> tuple[list[Row], bool]:
        """The `stop` items nearest to the cursor, newest first of those that are older (lt), oldest first of
        those that are newer (gt); and whether there is anything at the cursor or on its other side.
        """
        newest = operator == "lt"
        if not connection.features.supports_slicing_ordering_in_compound:
            options: dict[str, Any] = {"cursor": cursor, "narrow": narrow}
            rows = self.take(arguments, newest=newest, stop=stop, operator=operator, **options)
            rest = self.take(arguments, newest=not newest, stop=1, operator=_REST[operator], **options)
            return rows, bool(rest)
        filters, filtered = narrow or (None, ())
        # The nearest on the other side come along, one of each branch, and come first.
        most = stop + len(self.branches)
        values = (*arguments, *filtered, cursor, stop, most)
        shape: dict[str, Any] = {"newest": newest, "operator": operator, "only": None, "around": True}
        rows = self._rows(self.prepared, filters, *values, **shape)
        first = rows[: len(self.branches)]
        beyond = sum(self.cursor(row) >= cursor if newest else self.cursor(row) <= cursor for row in first)
        return rows[beyond : beyond + stop], beyond > 0

    def find(self, arguments: tuple[Any, ...], pk: int) -> list[Row]:
        """The item that is numbered `pk`, if there is one."""
        return self.take(arguments, newest=True, operator="exact", cursor=pk, stop=1)

    @property
    def _in_one(self) -> bool:
        """SQLite takes no LIMIT within a UNION."""
        return len(self.branches) == 1 or connection.features.supports_slicing_ordering_in_compound

    def _rows(self, prepared: Prepared, filters: Filters | None, *values: Any, **shape: Any) -> list[Row]:
        by_value = filters is not None and filters.planned_by_value
        return prepared.rows(*values, planned_by_value=by_value, filters=filters, **shape)

    def _prepare(
        self,
        *values: Any,
        newest: bool,
        operator: str,
        filters: Filters | None,
        only: int | None,
        around: bool = False,
    ) -> QuerySet[Any, Any]:
        *before, stop, most = values if around else (*values, values[-1])
        branches = self._branches(tuple(before), operator, filters)
        order = self._order(newest)
        parts = [branch.order_by(order)[:stop] for branch in (branches if only is None else [branches[only]])]
        if around:
            rest = self._branches(tuple(before), _REST[operator], filters)
            parts += [branch.order_by(self._order(not newest))[:1] for branch in rest]
        first, *others = parts
        return first.union(*others, all=True).order_by(order)[:most] if others else first

    def _skip(
        self, *values: Any, newest: bool, operator: str, filters: Filters | None, limited: bool
    ) -> QuerySet[Any, Any]:
        *before, skip, stop = values
        *before, most = before if limited else (*before, None)
        order = self._order(newest)
        branches = self._branches(tuple(before), operator, filters)
        if limited:
            # Whichever branch the skipped are of, none has to give more than this.
            branches = [branch.order_by(order)[:most] for branch in branches]
        first, *others = branches
        merged = first.union(*others, all=True) if others else first
        return merged.order_by(order)[skip : skip + stop]

    def _branches(self, values: Row, operator: str, filters: Filters | None) -> list[QuerySet[Any, Any]]:
        """The branches. `values` are the list's arguments, then those of the filters, then the cursor's."""
        given, edge = (values[:-1], values[-1:]) if operator else (values, ())
        width = filters.width if filters else 0
        arguments, filtered = given[: len(given) - width], given[len(given) - width :]
        branches = [branch(*arguments) for branch in self.branches]
        if filters:
            branches = filters.narrow(branches, arguments[0] if arguments else None, filtered)
        if operator:
            branches = [branch.filter(**{f"{self.cursor_field}__{operator}": edge[0]}) for branch in branches]
        # Without the model's own order, which SQLite does not take within a union.
        return [branch.order_by().values_list(*self.columns) for branch in branches]

    def _order(self, newest: bool) -> str:
        return f"-{self.cursor_field}" if newest else self.cursor_field
