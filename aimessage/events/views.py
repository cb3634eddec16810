from collections.abc import Collection

import orjson
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.api.lists.pages import read_limit
from aimessage.api.scopes import Scope, token_scopes
from aimessage.events.cursors import Position
from aimessage.events.kinds import readable, show_kept_events
from aimessage.events.reading import current_position, from_cursor, read_user_events, to_cursor

#: Bytes. A text has up to 20,000 characters, and a page up to 500 events.
MAX_ANSWER = 4 * 1024 * 1024
#: Events that are loaded with their texts at a time.
BATCH = 50


class EventsView(APIView):
    http_method_names = ["get", "head"]
    #: A personal token gets the kinds that its scopes cover.
    scopes = {"get": Scope.MESSAGES_READ}

    def get(self, request: Request) -> Response:
        limit, after = read_limit(request), request.query_params.get("after")
        if after is None:
            return _answer([], current_position(), more=False)
        return _read_page(int(request.user.pk or 0), from_cursor(after), limit, token_scopes(request))


def _read_page(user_id: int, position: Position, limit: int, scopes: Collection[str] | None) -> Response:
    page = read_user_events(user_id, position, limit)
    events: list[orjson.Fragment] = []
    size, last = 0, page.rows[0] if page.rows else None
    for start in range(0, len(page.rows), BATCH):
        for row, event in show_kept_events(readable(page.rows[start : start + BATCH], scopes)):
            written = orjson.dumps(event, option=orjson.OPT_UTC_Z)
            size += len(written)
            if last and events and size > MAX_ANSWER:
                return _answer(events, page.after(last), more=True)
            events.append(orjson.Fragment(written))
            last = row
    return _answer(events, page.end, more=page.more)


def _answer(events: list[orjson.Fragment], position: Position, *, more: bool) -> Response:
    return Response({"events": events, "cursor": to_cursor(position), "more": more})
