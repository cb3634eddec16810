from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

from aimessage.api.lists.pages import MAX_LIMIT
from aimessage.api.problems import DATABASE_DOWN, TOO_LONG
from aimessage.api.schema.descriptions import ViewDescription
from aimessage.events.cursors import NO_CURSOR
from aimessage.events.kinds import ShownEvent
from aimessage.events.reading import CURSOR_EXPIRED
from aimessage.events.stream_view import MEDIA_TYPE, TOO_MANY_STREAMS, StreamView
from aimessage.events.streams import TICKET_INVALID
from aimessage.events.views import EventsView

EXAMPLE_EVENT = {
    "id": "731",
    "type": "message.read",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "data": {"message_id": 42, "conversation_id": "conv_1_2", "reader_id": 2},
}


class EventSerializer(serializers.Serializer[ShownEvent]):
    id = serializers.CharField()
    type = serializers.CharField()
    created_at = serializers.DateTimeField()
    data = serializers.JSONField()  # type: ignore[assignment]  # the metaclass takes it away


class EventPageSerializer(serializers.Serializer[object]):
    events = EventSerializer(many=True)
    cursor = serializers.CharField()
    more = serializers.BooleanField()


class EventsDescription(ViewDescription):
    target_class = EventsView
    operations = {
        "get": extend_schema(
            tags=["events"],
            operation_id="list_events",
            summary="What changed since a cursor",
            description=(
                "Oldest first. Without `after` there are no events, only the cursor of now. Follow `cursor`"
                " from answer to answer, at once where `more` is true: every event comes exactly once."
            ),
            parameters=[
                OpenApiParameter("after", description="the `cursor` of an earlier answer"),
                OpenApiParameter(
                    "limit", type={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100}
                ),
            ],
            responses={200: EventPageSerializer, 400: NO_CURSOR, 410: CURSOR_EXPIRED},
            examples=[
                OpenApiExample("Page", value={"events": [EXAMPLE_EVENT], "cursor": "AQp7", "more": False})
            ],
        ),
    }


class StreamDescription(ViewDescription):
    target_class = StreamView
    operations = {
        "get": extend_schema(
            tags=["events"],
            operation_id="stream_events",
            summary="Events as they happen (server-sent events)",
            description=(
                "The first event is `hello`, with the cursor at which the stream begins; `reset` in its place"
                " says that the client's cursor is expired: read the lists again. To start without loss, open"
                " the stream first, then read the lists. The stream ends after half an hour, or with its"
                " session; resume with the last `id` in `Last-Event-ID`, or as `after`."
            ),
            parameters=[
                OpenApiParameter("after", description="where to go on; without it, from now"),
                OpenApiParameter(
                    "Last-Event-ID",
                    location=OpenApiParameter.HEADER,
                    description="as `after`, and before it",
                ),
            ],
            responses={
                (200, MEDIA_TYPE): OpenApiTypes.STR,
                400: NO_CURSOR,
                401: TICKET_INVALID,
                503: [DATABASE_DOWN, TOO_LONG, TOO_MANY_STREAMS],
            },
            examples=[
                OpenApiExample(
                    "Beginning",
                    value='retry: 2000\n\nevent: hello\nid: AQp7\ndata: {"cursor":"AQp7"}\n\n',
                    media_type=MEDIA_TYPE,
                )
            ],
        ),
    }
