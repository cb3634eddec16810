from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle

from aimessage.api.lists.listing import Listing
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin, parse_id
from aimessage.db.compiled import CompiledQuery, Param
from messaging.filters import MessageFilter
from messaging.models import Message
from messaging.querysets import MessageQuerySet
from messaging.serializers import MessageEditSerializer, MessageSerializer
from messaging.services.messages import MESSAGE_NOT_FOUND, delete_message, edit_message
from messaging.services.reading import mark_message_read, mark_read
from messaging.throttles import SendThrottle
from messaging.views.sending import send

MESSAGES = Listing(MessageSerializer, Message.objects.sent_by, Message.objects.received_by)
SENT = Listing(MessageSerializer, Message.objects.sent_by)
RECEIVED = Listing(MessageSerializer, Message.objects.received_by)
VISIBLE = Listing(MessageSerializer, Message.objects.visible_to)
UNREAD = CompiledQuery(lambda: Message.objects.count_unread_by(Param("user")))

ALL_READ = "All messages marked as read"
MESSAGE_DELETED = "Message deleted successfully"
MESSAGE_READ = "Message marked as read"

READING = ["list", "sent", "received", "unread_count", "retrieve"]
WRITING = ["create", "update", "partial_update", "destroy", "mark_read", "read_all"]


class MessageViewSet(LenientUpdateMixin, ApiViewSet[Message]):
    scopes = dict.fromkeys(READING, Scope.MESSAGES_READ) | dict.fromkeys(WRITING, Scope.MESSAGES_WRITE)
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    searching = frozenset({"list", "sent", "received"})
    cursor_description = "the id of a message"
    not_found = MESSAGE_NOT_FOUND

    def get_queryset(self) -> MessageQuerySet:
        return Message.objects.visible_to(self.user)

    def get_serializer_class(self) -> type[BaseSerializer[Message]]:
        editing = self.action in {"update", "partial_update"}
        return MessageEditSerializer if editing else MessageSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        sends = self.action in {"create", "update", "partial_update"}
        return [*throttles, SendThrottle()] if sends else throttles

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        # One conversation is read along its own index, even if one of the two wrote almost all of it.
        return self.answer_list(MESSAGES, self.user, alone={"conversation_id": VISIBLE})

    @action(detail=False)
    def sent(self, request: Request) -> Response:
        return self.answer_list(SENT, self.user)

    @action(detail=False)
    def received(self, request: Request) -> Response:
        return self.answer_list(RECEIVED, self.user)

    @action(detail=False, url_path="unread/count", pagination_class=None)
    def unread_count(self, request: Request) -> Response:
        counts = UNREAD.rows(user=self.user)
        return Response({"unread_count": counts[0][0] if counts else 0})

    @action(detail=False, methods=["put"], url_path="read-all", pagination_class=None)
    def read_all(self, request: Request) -> Response:
        mark_read(Message.objects.all(), reader=self.user)
        return Response({"message": ALL_READ})

    def create(self, request: Request) -> Response:
        return send(self, MessageSerializer(data=request.data))

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.answer_item(VISIBLE, self.user, pk=pk)

    def perform_update(self, serializer: BaseSerializer[Message]) -> None:
        message: Any = serializer.instance
        edit_message(message, editor=self.user, **serializer.validated_data)

    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        delete_message(self.get_object(), actor=self.user)
        return Response({"message": MESSAGE_DELETED})

    @action(detail=True, methods=["put"], url_path="read")
    def mark_read(self, request: Request, pk: str) -> Response:
        mark_message_read(parse_id(pk, missing=self.not_found), reader=self.user)
        return Response({"message": MESSAGE_READ})
