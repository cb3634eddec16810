"""The one paginator: bare arrays, `limit` and `skip`, `before` and `after` cursors, `Link`.

Items are numbered by `cursor_field`, the newer the higher. A page holds the newest items that
match, or those just older than `before`, or those just newer than `after` (keyset pagination:
the cost does not grow with the depth, and nothing moves while new items arrive).
"""

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from django.conf import settings
from django.utils.encoding import iri_to_uri
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.api.lists.filters import ListFilterSet
from aimessage.api.lists.listing import Listing
from aimessage.api.problems import TOO_LONG, Unavailable
from aimessage.db.compiled import Row

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
#: Ids are 64-bit integers.
MAX_CURSOR = 2**63 - 1
#: An offset plus a limit must be a 64-bit integer, too.
MAX_SKIP = 2**62
#: Bytes of an answer; a page that would be larger is cut short.
MAX_BYTES = 4 * 1024 * 1024
#: Rows read in one query. Memory then holds at most MAX_BYTES and a chunk of long texts, and a page of the
#: default limit takes one query.
CHUNK = 128
#: JSON writes one character in up to 6 bytes (a control character, `\u0001`).
BYTES_PER_CHARACTER = 6
#: More than an item takes besides its texts, however widely the client asks to indent.
BYTES_PER_ITEM = 1024

SKIP_WITH_CURSOR = "A skip above 0 goes with no cursor."
OUT_OF_RANGE = "A whole number from {low} to {high} is required."


def read_number(request: Request, name: str, *, low: int, high: int) -> int | None:
    """The query parameter `name`, None without it; raises ValidationError outside [low, high]."""
    raw = request.query_params.get(name)
    if raw is None:
        return None
    # More digits cannot be in range, and int() raises an error of its own for thousands of them.
    value = int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= 20 else -1
    if not low <= value <= high:
        raise ValidationError({name: [OUT_OF_RANGE.format(low=low, high=high)]})
    return value


def read_limit(request: Request) -> int:
    limit = read_number(request, "limit", low=1, high=MAX_LIMIT)
    return DEFAULT_LIMIT if limit is None else limit


def link_header(request: Request, cursors: Mapping[str, tuple[str, object]]) -> dict[str, str]:
    """A Link header (RFC 8288): for each relation the request's URL, with (name, value) as its cursor."""
    if not cursors:
        return {}
    given = request.query_params.lists()
    kept = [(name, values) for name, values in given if name not in ("skip", "before", "after")]
    url = f"{request.scheme}://{request.get_host()}{iri_to_uri(request.path)}"
    links = []
    for rel, (name, value) in cursors.items():
        query = urlencode([*kept, (name, value)], doseq=True)
        links.append(f'<{url}?{query}>; rel="{rel}"')
    return {"Link": ", ".join(links)}


class KeysetPagination(BasePagination):
    """Pages of a Listing. Inside of this class rows are oldest first; `read_page` may turn them around."""

    def read_page(
        self,
        listing: Listing,
        arguments: tuple[object, ...],
        *,
        request: Request,
        filters: ListFilterSet | None,
        newest_first: bool,
    ) -> list[Row]:
        """The page that the request asks for; raises ValidationError for parameters that fit no page."""
        self.request, self.listing = request, listing
        self.arguments, self.filters = arguments, filters
        self.limit = read_limit(request)
        skip = read_number(request, "skip", low=0, high=MAX_SKIP) or 0
        before = read_number(request, "before", low=0, high=MAX_CURSOR)
        after = read_number(request, "after", low=0, high=MAX_CURSOR)
        if before is not None and after is not None:
            raise ValidationError("Only one of before and after may be given.")
        if skip and (before, after) != (None, None):
            raise ValidationError(SKIP_WITH_CURSOR)
        rows = self._newer(after) if after is not None else self._older(before, skip)
        return rows[::-1] if newest_first else rows

    def _older(self, before: int | None, skip: int) -> list[Row]:
        if before is None:
            stop = min(self.limit + 1, CHUNK)
            rows = self.listing.take(self.arguments, newest=True, stop=stop, skip=skip, filters=self.filters)
            # Without rows the list may be empty, and then the skip has passed nothing.
            has_newer = skip > 0 and (bool(rows) or self._around("lt", 0)[1])
        else:
            rows, has_newer = self._around("lt", before)
        rows, has_older = self._fill(rows, newest=True)
        rows.reverse()
        if rows:
            self._link(rows, has_older, has_newer)
        else:  # nothing is older, so the newer items start here
            self.cursors = {"prev": ("after", max((before or 0) - 1, 0))} if has_newer else {}
        return rows

    def _newer(self, after: int) -> list[Row]:
        rows, has_older = self._around("gt", after)
        rows, has_newer = self._fill(rows, newest=False)
        if rows:
            self._link(rows, has_older, has_newer)
        else:
            self.cursors = {"next": ("before", min(after + 1, MAX_CURSOR))} if has_older else {}
        return rows

    def _around(self, operator: str, cursor: int) -> tuple[list[Row], bool]:
        stop = min(self.limit + 1, CHUNK)
        return self.listing.take_around(
            self.arguments, stop=stop, operator=operator, cursor=cursor, filters=self.filters
        )

    def _fill(self, rows: list[Row], *, newest: bool) -> tuple[list[Row], bool]:
        """Reads on after `rows`, which begin at the cursor, until the page is full of items or of bytes.

        Returns the page, and whether there is an item after it. Raises Unavailable if that takes too long.
        """
        asked = min(self.limit + 1, CHUNK)
        deadline = time.monotonic() + settings.STATEMENT_SECONDS
        while len(rows) == asked <= self.limit and self._fit(rows) == asked:
            if time.monotonic() > deadline:
                raise Unavailable(TOO_LONG)
            stop = min(self.limit + 1 - asked, CHUNK)
            edge = self.listing.cursor(rows[-1])
            rows += self.listing.take(
                self.arguments,
                newest=newest,
                stop=stop,
                operator="lt" if newest else "gt",
                cursor=edge,
                filters=self.filters,
            )
            asked += stop
        size = min(self._fit(rows), self.limit)
        return rows[:size], len(rows) > size

    def _fit(self, rows: list[Row]) -> int:
        # At least one row, however large, so that a client can go on.
        serializer = self.listing.serializer
        if serializer.characters(rows) * BYTES_PER_CHARACTER + len(rows) * BYTES_PER_ITEM < MAX_BYTES:
            return len(rows)
        size = len("]")
        for number, row in enumerate(rows):
            size += len(self._render(serializer.show_rows([row]))) - len("]")
            if size > MAX_BYTES:
                return max(number, 1)
        return len(rows)

    def _render(self, data: object) -> str | bytes:
        return self.request.accepted_renderer.render(data, self.request.accepted_media_type, {})

    def _link(self, rows: list[Row], has_older: bool, has_newer: bool) -> None:
        self.cursors = {}
        if has_older:
            self.cursors["next"] = ("before", self.listing.cursor(rows[0]))
        if has_newer:
            self.cursors["prev"] = ("after", self.listing.cursor(rows[-1]))

    def get_paginated_response(self, data: object) -> Response:
        return Response(data, headers=link_header(self.request, self.cursors))

    def get_paginated_response_schema(self, schema: dict[str, object]) -> dict[str, object]:
        return schema

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, object]]:
        cursor = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_CURSOR}
        what = getattr(view, "cursor_description", "a cursor")
        return [
            limit_parameter(),
            query_parameter(
                "skip",
                f"Skip so many of the newest items. Deep pages are slow; follow `Link`. {SKIP_WITH_CURSOR}",
                {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_SKIP},
            ),
            query_parameter("before", f"The page just older than this: {what}.", cursor),
            query_parameter("after", f"The page just newer than this: {what}.", cursor),
        ]


def query_parameter(name: str, description: str, schema: dict[str, object]) -> dict[str, object]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def limit_parameter() -> dict[str, object]:
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return query_parameter("limit", "How many items a page holds at most.", schema)
