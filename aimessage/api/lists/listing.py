"""A list of the API: which columns it reads, from which querysets, and how a page of rows is fetched."""

from collections.abc import Callable
from typing import NamedTuple

from django.db import connection
from django.db.models import Model, QuerySet

from aimessage.api.lists.filters import ListFilterSet
from aimessage.api.serializers import RowSerializer
from aimessage.db.compiled import CompiledQuery, Param, Row

Branch = Callable[..., QuerySet[Model, object]]

#: The other side of a cursor; the item at the cursor belongs to it.
_REST = {"lt": "gte", "gt": "lte"}
#: LIMIT cannot be a parameter. A compiled query has the next larger of these, and reads a few rows too many.
LIMITS = (1, 2, 11, 26, 51, 101, 128)


class _Shape(NamedTuple):
    """What the SQL of a page depends on, besides the values of its parameters."""

    newest: bool
    stop: int
    #: How items compare with the cursor (lt, gt, ...); empty without a cursor.
    operator: str = ""
    #: The number of the branch that is read by itself.
    only: int | None = None
    #: Reads one item of each branch from the cursor's other side, too.
    around: bool = False


class Listing:
    """`Listing(MessageSerializer, Message.objects.sent_by, Message.objects.received_by)`.

    A branch is a function that takes the list's arguments (the user, a conversation's id) and returns a
    queryset. Several branches must be disjoint; their rows are merged. For `sender = me OR recipient = me`
    two limited index scans read one page, where the OR reads the user's whole history. Items are numbered
    by `cursor_field`.

    A page without filters is a compiled query: it calls each branch once, with a Param for each argument.
    A page with filters, or with items to skip, is a queryset built for the request.
    """

    def __init__(self, serializer: type[RowSerializer], *branches: Branch, cursor_field: str = "id") -> None:
        self.serializer = serializer
        self.branches = branches
        self.cursor_field = cursor_field
        shown = serializer.columns()
        self.columns = shown if cursor_field in shown else [*shown, cursor_field]
        self._cursor_index = self.columns.index(cursor_field)
        self._compiled: dict[_Shape, CompiledQuery] = {}

    def cursor(self, row: Row) -> int:
        number: int = row[self._cursor_index]
        return number

    def take(
        self,
        arguments: tuple[object, ...],
        *,
        newest: bool,
        stop: int,
        operator: str = "",
        cursor: int | None = None,
        skip: int = 0,
        filters: ListFilterSet | None = None,
    ) -> list[Row]:
        """The `stop` newest (or oldest) items that compare with `cursor` by `operator` (lt, gt, exact ...).

        Leaves out the first `skip` of them, which takes time in proportion.
        """
        if skip:
            branches = self._branches(arguments, cursor, filters, operator)
            return list(self._skipping(branches, self._order(newest), skip, stop))
        whole = _Shape(newest, stop, operator)
        if self._merges_in_sql:
            return self._read(arguments, cursor, filters, whole)[:stop]
        shapes = [whole._replace(only=number) for number in range(len(self.branches))]
        rows = [row for shape in shapes for row in self._read(arguments, cursor, filters, shape)]
        return sorted(rows, key=self.cursor, reverse=newest)[:stop]

    def take_around(
        self,
        arguments: tuple[object, ...],
        *,
        stop: int,
        operator: str,
        cursor: int,
        filters: ListFilterSet | None = None,
    ) -> tuple[list[Row], bool]:
        """The `stop` items nearest to the cursor on one side of it, older (lt) or newer (gt), nearest first.

        Also returns whether there is an item at the cursor or on its other side.
        """
        newest = operator == "lt"
        if not connection.features.supports_slicing_ordering_in_compound:
            rows = self.take(
                arguments, newest=newest, stop=stop, operator=operator, cursor=cursor, filters=filters
            )
            rest = self.take(
                arguments, newest=not newest, stop=1, operator=_REST[operator], cursor=cursor, filters=filters
            )
            return rows, bool(rest)
        rows = self._read(arguments, cursor, filters, _Shape(newest, stop, operator, around=True))
        # The rows begin with what was read from the other side, at most one item of each branch.
        first = rows[: len(self.branches)]
        beyond = sum(self.cursor(row) >= cursor if newest else self.cursor(row) <= cursor for row in first)
        return rows[beyond : beyond + stop], beyond > 0

    def find(self, arguments: tuple[object, ...], pk: int) -> list[Row]:
        return self.take(arguments, newest=True, operator="exact", cursor=pk, stop=1)

    @property
    def _merges_in_sql(self) -> bool:
        # SQLite takes no LIMIT within a UNION.
        return len(self.branches) == 1 or connection.features.supports_slicing_ordering_in_compound

    def _read(
        self, arguments: tuple[object, ...], cursor: int | None, filters: ListFilterSet | None, shape: _Shape
    ) -> list[Row]:
        if filters is not None:
            return list(self._page(arguments, cursor, filters, shape))
        shape = shape._replace(stop=next((limit for limit in LIMITS if limit >= shape.stop), shape.stop))
        if shape not in self._compiled:
            params = tuple(Param(f"argument{number}") for number in range(len(arguments)))
            self._compiled[shape] = CompiledQuery(lambda: self._page(params, Param("cursor"), None, shape))
        values = {f"argument{number}": value for number, value in enumerate(arguments)}
        if shape.operator:
            values["cursor"] = cursor
        return self._compiled[shape].rows(**values)

    def _page(
        self,
        arguments: tuple[object, ...],
        cursor: object,
        filters: ListFilterSet | None,
        shape: _Shape,
    ) -> QuerySet[Model, Row]:
        branches = self._branches(arguments, cursor, filters, shape.operator)
        order = self._order(shape.newest)
        chosen = branches if shape.only is None else [branches[shape.only]]
        parts = [branch.order_by(order)[: shape.stop] for branch in chosen]
        if shape.around:
            rest = self._branches(arguments, cursor, filters, _REST[shape.operator])
            parts += [branch.order_by(self._order(not shape.newest))[:1] for branch in rest]
        first, *others = parts
        most = shape.stop + len(self.branches) if shape.around else shape.stop
        return first.union(*others, all=True).order_by(order)[:most] if others else first

    def _skipping(
        self, branches: list[QuerySet[Model, Row]], order: str, skip: int, stop: int
    ) -> QuerySet[Model, Row]:
        if self._merges_in_sql and len(branches) > 1:
            # No branch can contribute more than this.
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
