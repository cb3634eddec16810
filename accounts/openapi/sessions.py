from drf_spectacular.utils import extend_schema

from accounts.serializers import TicketSerializer
from accounts.views.sessions import SESSION_DELETED, SessionViewSet, TicketView
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


class SessionDescription(ViewDescription):
    target_class = SessionViewSet
    operations = {
        "list": extend_schema(tags=["sessions"], operation_id="list_sessions", summary="One's live sessions"),
        "destroy": extend_schema(
            tags=["sessions"],
            operation_id="end_session",
            summary="End a session",
            responses={200: answer(SESSION_DELETED)},
        ),
    }


class TicketDescription(ViewDescription):
    target_class = TicketView
    operations = {
        "post": extend_schema(
            tags=["events"],
            operation_id="make_stream_ticket",
            summary="A ticket that opens one event stream, for those who cannot send headers",
            request=None,
            responses={201: TicketSerializer},
        ),
    }
