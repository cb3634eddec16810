from collections.abc import Collection
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.api.lists.pages import MAX_LIMIT, read_limit
from aimessage.api.scopes import Scope, token_scopes
from aimessage.events.cursors import NO_CURSOR, Position
from aimessage.events.kinds import readable, show_kept_events
from aimessage.events.reading import (
    CURSOR_EXPIRED,
    current_position,
    from_cursor,
    read_user_events,
    to_cursor,
)

#: Bytes of an answer; texts have up to 20,000 characters, and a page up to 500 events.
MAX_ANSWER = 4 * 1024 * 1024
#: Events whose texts are loaded at a time.
BATCH = 50

EXAMPLE_EVENT = {
    "id": "731",
    "type": "message.read",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "data": {"message_id": 42, "conversation_id": "conv_1_2", "reader_id": 2},
}


class EventSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.CharField()
    created_at = serializers.DateTimeField()
    data = serializers.JSONField()  # type: ignore[assignment]  # the metaclass takes it away


class EventPageSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True)
    cursor = serializers.CharField()
    more = serializers.BooleanField()


class EventsView(APIView):
    http_method_names = ["get", "head"]
    #: A personal token gets the kinds that its scopes cover.
    scopes = {"get": Scope.MESSAGES_READ}

    @extend_schema(
        tags=["events"],
        operation_id="list_events",
        summary="What changed since a cursor",
        description=(
            "Oldest first. Without `after` there are no events, only the cursor of now. Follow `cursor` from"
            " answer to answer, at once where `more` is true: every event comes exactly once."
        ),
        parameters=[
            OpenApiParameter("after", description="the `cursor` of an earlier answer"),
            OpenApiParameter(
                "limit", type={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100}
            ),
        ],
        responses={200: EventPageSerializer, 400: NO_CURSOR, 410: CURSOR_EXPIRED},
        examples=[OpenApiExample("Page", value={"events": [EXAMPLE_EVENT], "cursor": "AQp7", "more": False})],
    )
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


def _answer(events: list[Any], position: Position, *, more: bool) -> Response:
    return Response({"events": events, "cursor": to_cursor(position), "more": more})
