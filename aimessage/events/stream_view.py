"""GET /events/stream."""

from collections.abc import Sequence

from django.conf import settings
from django.http.request import MediaType
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from aimessage.api.problems import Reason, Unavailable
from aimessage.api.scopes import Scope, token_scopes
from aimessage.events.cursors import MalformedCursor, Position
from aimessage.events.hub import hub
from aimessage.events.reading import CursorExpired, from_cursor
from aimessage.events.streams import Stream, farewell
from aimessage.server.streams import StreamResponse

MEDIA_TYPE = "text/event-stream"

TOO_MANY_STREAMS = Reason("There are too many streams, try again later")


class StreamNegotiation(DefaultContentNegotiation):
    # A client that accepts a stream may still get a problem document, which has its own media type.

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        accepted = [MediaType(text) for text in self.get_accept_list(request)]
        matching = [one for one in accepted if one.match(MEDIA_TYPE)]
        # The most specific range decides, and q=0 refuses the type (RFC 9110, 12.5.1).
        if not matching or not max(matching, key=lambda one: (one.specificity, one.quality)).quality:
            raise NotAcceptable
        return renderers[0], str(renderers[0].media_type)


class StreamView(APIView):
    # The URL conf sets `authentication_classes`, since this room must not import sessions.
    http_method_names = ["get"]
    content_negotiation_class = StreamNegotiation
    scopes = {"get": Scope.MESSAGES_READ}

    def get(self, request: Request) -> StreamResponse:
        position, is_reset = _start(request)
        if len(hub) >= settings.STREAMS:
            raise Unavailable(TOO_MANY_STREAMS)
        granted = token_scopes(request)
        stream = Stream(
            user_id=int(request.user.pk or 0),
            grant=("session" if granted is None else "token", request.auth.pk),
            scopes=granted,
            start=position,
            greeting="reset" if is_reset else "hello",
        )
        return StreamResponse(lambda carrier: hub.open(stream, carrier), farewell, MEDIA_TYPE)


def _start(request: Request) -> tuple[Position | None, bool]:
    """Returns where the stream continues (None: from now on), and whether the client's position was lost.

    A browser sends Last-Event-ID by itself and gives up on any error, so a wrong one only resets the stream.
    A program that sends a malformed `after` gets the error.
    """
    last_id, after = request.headers.get("Last-Event-ID"), request.query_params.get("after")
    if last_id:
        try:
            return from_cursor(last_id), False
        except (MalformedCursor, CursorExpired):
            return None, True
    if after is not None:
        try:
            return from_cursor(after), False
        except CursorExpired:
            return None, True
    return None, False
