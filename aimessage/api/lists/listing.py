"""What a list reads: rows of what its serializer shows, a page at a time, wherever the page begins."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

from aimessage.api.lists.filters import ListFilterSet
from aimessage.api.serializers import RowSerializer
from aimessage.db.compiled import CompiledQuery, Param, Row

Branch = Callable[..., QuerySet[Model, Any]]

#: What lies on the other side of a cursor, itself included.
_REST = {"lt": "gte", "gt": "lte"}
#: A LIMIT is part of the SQL. Compiled queries have one of these, and read a few rows too many.
LIMITS = (1, 2, 11, 26, 51, 101, 128)


class Listing:
    """`Listing(MessageSerializer, Message.objects.sent_by, Message.objects.received_by)`.

    The branches are functions of the list's arguments (the user, a conversation's id), each of which returns
    a queryset. Several branches are disjoint, and merged: for `sender = me OR recipient = me` two limited
    index scans cost what the page costs, the OR costs the user's whole history. Items are numbered by
    `cursor_field`.

    A page without filters is a compiled query: there a branch is called once, with a Param for each argument.
    A page with filters, or one that skips items, is a queryset that is built for the request.
    """

    def __init__(self, serializer: type[RowSerializer], *branches: Branch, cursor_field: str = "id") -> None:
        self.serializer = serializer
        self.branches = branches
        self.cursor_field = cursor_field
        shown = serializer.columns()
        self.columns = shown if cursor_field in shown else [*shown, cursor_field]
        self._cursor_index = self.columns.index(cursor_field)
        self._compiled: dict[tuple[Any, ...], CompiledQuery] = {}

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
        filters: ListFilterSet | None = None,
    ) -> list[Row]:
        """The `stop` newest items, or oldest, whose cursor is `operator` (lt, gt, ...) than `cursor`.

        `skip` leaves out so many before them, in time that grows with it.
        """
        if skip:
            branches = self._branches(arguments, cursor, filters, operator)
            return list(self._skipping(branches, self._order(newest), skip, stop))
        read = partial(
            self._read, arguments, cursor, filters, newest=newest, operator=operator, stop=stop, around=False
        )
        if self._merges_in_sql:
            return read(only=None)[:stop]
        parts = [read(only=number) for number in range(len(self.branches))]
        return sorted((row for part in parts for row in part), key=self.cursor, reverse=newest)[:stop]

    def take_around(
        self,
        arguments: tuple[Any, ...],
        *,
        stop: int,
        operator: str,
        cursor: int,
        filters: ListFilterSet | None = None,
    ) -> tuple[list[Row], bool]:
        """The `stop` items nearest to the cursor, newest first of those that are older (lt), oldest first of
        those that are newer (gt); and whether there is anything at the cursor or on its other side.
        """
        newest = operator == "lt"
        if not connection.features.supports_slicing_ordering_in_compound:
            options: dict[str, Any] = {"cursor": cursor, "filters": filters}
            rows = self.take(arguments, newest=newest, stop=stop, operator=operator, **options)
            rest = self.take(arguments, newest=not newest, stop=1, operator=_REST[operator], **options)
            return rows, bool(rest)
        rows = self._read(
            arguments, cursor, filters, newest=newest, operator=operator, stop=stop, around=True, only=None
        )
        # The nearest on the other side come along, one of each branch, and come first.
        first = rows[: len(self.branches)]
        beyond = sum(self.cursor(row) >= cursor if newest else self.cursor(row) <= cursor for row in first)
        return rows[beyond : beyond + stop], beyond > 0

    def find(self, arguments: tuple[object, ...], pk: int) -> list[Row]:
        """The item that is numbered `pk`, if there is one."""
        return self.take(arguments, newest=True, operator="exact", cursor=pk, stop=1)

    @property
    def _merges_in_sql(self) -> bool:
        """SQLite takes no LIMIT within a UNION."""
        return len(self.branches) == 1 or connection.features.supports_slicing_ordering_in_compound

    def _read(
        self, arguments: tuple[object, ...], cursor: int | None, filters: ListFilterSet | None, **shape: Any
    ) -> list[Row]:
        if filters is not None:
            return list(self._page(arguments, cursor, filters, **shape))
        shape["stop"] = next((limit for limit in LIMITS if limit >= shape["stop"]), shape["stop"])
        key = tuple(shape.values())
        if key not in self._compiled:
            params = tuple(Param(f"argument{number}") for number in range(len(arguments)))
            self._compiled[key] = CompiledQuery(lambda: self._page(params, Param("cursor"), None, **shape))
        values = {f"argument{number}": value for number, value in enumerate(arguments)}
        if shape["operator"]:
            values["cursor"] = cursor
        return self._compiled[key].rows(**values)

    def _page(
        self,
        arguments: tuple[object, ...],
        cursor: object,
        filters: ListFilterSet | None,
        *,
        newest: bool,
        operator: str,
        stop: int,
        only: int | None,
        around: bool,
    ) -> QuerySet[Model, Row]:
        """The `stop` items nearest to the cursor, of all branches or the `only` one; if `around`, also the
        nearest item of each branch on the cursor's other side."""
        branches = self._branches(arguments, cursor, filters, operator)
        order = self._order(newest)
        parts = [branch.order_by(order)[:stop] for branch in (branches if only is None else [branches[only]])]
        if around:
            rest = self._branches(arguments, cursor, filters, _REST[operator])
            parts += [branch.order_by(self._order(not newest))[:1] for branch in rest]
        first, *others = parts
        most = stop + len(self.branches) if around else stop
        return first.union(*others, all=True).order_by(order)[:most] if others else first

    def _skipping(
        self, branches: list[QuerySet[Model, Row]], order: str, skip: int, stop: int
    ) -> QuerySet[Model, Row]:
        if self._merges_in_sql and len(branches) > 1:
            # Whichever branch the skipped are of, none has to give more than this.
            branches = [branch.order_by(order)[: skip + stop] for branch in branches]
        first, *others = branches
        merged = first.union(*others, all=True) if others else first
        return merged.order_by(order)[skip : skip + stop]

    def _branches(
        self, arguments: tuple[object, ...], cursor: object, filters: ListFilterSet | None, operator: str
    ) -> list[QuerySet[Model, Row]]:
        branches = [branch(*arguments) for branch in self.branches]
        if filters is not None:
            branches = [filters.filter_queryset(branch) for branch in branches]
        if operator:
            branches = [branch.filter(**{f"{self.cursor_field}__{operator}": cursor}) for branch in branches]
        # Without the model's own order, which SQLite does not take within a union.
        return [branch.order_by().values_list(*self.columns) for branch in branches]

    def _order(self, newest: bool) -> str:
        return f"-{self.cursor_field}" if newest else self.cursor_field
