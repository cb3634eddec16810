from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle

from accounts.serializers import answer
from aimessage.api.lists.listing import Listing
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin, parse_id
from aimessage.db.compiled import CompiledQuery, Param
from messaging.filters import MessageFilter
from messaging.models import Message
from messaging.querysets import MessageQuerySet
from messaging.serializers import (
    MessageEditSerializer,
    MessageSerializer,
    UnreadCountSerializer,
)
from messaging.services.messages import (
    BLOCKED,
    MESSAGE_NOT_FOUND,
    NOT_RECIPIENT,
    NOT_SENDER,
    delete_message,
    edit_message,
    mark_message_read,
    mark_read,
)
from messaging.throttles import SendThrottle
from messaging.views.sending import IDEMPOTENCY_KEY, NOT_SENT, send

MESSAGES = Listing(MessageSerializer, Message.objects.sent_by, Message.objects.received_by)
SENT = Listing(MessageSerializer, Message.objects.sent_by)
RECEIVED = Listing(MessageSerializer, Message.objects.received_by)
VISIBLE = Listing(MessageSerializer, Message.objects.visible_to)
UNREAD = CompiledQuery(lambda: Message.objects.count_unread_by(Param("user")))

#: What else PUT and PATCH may answer, for the API's description.
NOT_EDITED = {403: [NOT_SENDER, BLOCKED]}


READING = ["list", "sent", "received", "unread_count", "retrieve"]
WRITING = ["create", "update", "partial_update", "destroy", "read", "read_all"]


class MessageViewSet(LenientUpdateMixin, ApiViewSet[Message]):
    scopes = dict.fromkeys(READING, Scope.MESSAGES_READ) | dict.fromkeys(WRITING, Scope.MESSAGES_WRITE)
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    searching = frozenset({"list", "sent", "received"})
    cursor_description = "the id of a message"
    not_found = MESSAGE_NOT_FOUND

    def get_queryset(self) -> MessageQuerySet:
        return Message.objects.visible_to(self.user)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        editing = self.action in {"update", "partial_update"}
        return MessageEditSerializer if editing else MessageSerializer

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        sends = self.action in {"create", "update", "partial_update"}
        return [*throttles, SendThrottle()] if sends else throttles

    @extend_schema(tags=["messages"], operation_id="list_messages", summary="Messages sent or received")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        # One conversation is read along its own index, even if one of the two wrote almost all of it.
        return self.answer_list(MESSAGES, self.user, alone={"conversation_id": VISIBLE})

    @extend_schema(
        tags=["messages"],
        operation_id="list_sent_messages",
        summary="Messages sent",
        responses=MessageSerializer(many=True),
    )
    @action(detail=False)
    def sent(self, request: Request) -> Response:
        return self.answer_list(SENT, self.user)

    @extend_schema(
        tags=["messages"],
        operation_id="list_received_messages",
        summary="Messages received",
        responses=MessageSerializer(many=True),
    )
    @action(detail=False)
    def received(self, request: Request) -> Response:
        return self.answer_list(RECEIVED, self.user)

    @extend_schema(
        tags=["messages"],
        operation_id="get_unread_count",
        summary="How many received messages are unread",
        responses=UnreadCountSerializer,
        filters=False,
    )
    @action(detail=False, url_path="unread/count", pagination_class=None)
    def unread_count(self, request: Request) -> Response:
        counts = UNREAD.rows(user=self.user)
        return Response({"unread_count": counts[0][0] if counts else 0})

    @extend_schema(
        tags=["messages"],
        operation_id="mark_all_messages_read",
        summary="Mark all received messages as read",
        request=None,
        responses={200: answer("All messages marked as read")},
    )
    @action(detail=False, methods=["put"], url_path="read-all", pagination_class=None)
    def read_all(self, request: Request) -> Response:
        mark_read(Message.objects.all(), reader=self.user)
        return Response({"message": "All messages marked as read"})

    @extend_schema(
        tags=["messages"],
        operation_id="send_message",
        summary="Send a message",
        parameters=[IDEMPOTENCY_KEY],
        responses={201: MessageSerializer, **NOT_SENT},
    )
    def create(self, request: Request) -> Response:
        return send(self, MessageSerializer(data=request.data))

    @extend_schema(tags=["messages"], operation_id="get_message", summary="One message")
    def retrieve(self, request: Request, pk: str) -> Response:
        return self.answer_item(VISIBLE, self.user, pk=pk)

    @extend_schema(
        tags=["messages"],
        operation_id="update_message",
        summary="Change the text of a message",
        responses={200: MessageSerializer, **NOT_EDITED},
    )
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @extend_schema(
        tags=["messages"],
        operation_id="patch_message",
        summary="The same as PUT",
        responses={200: MessageSerializer, **NOT_EDITED},
    )
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        message: Any = serializer.instance
        edit_message(message, editor=self.user, **serializer.validated_data)

    @extend_schema(
        tags=["messages"],
        operation_id="delete_message",
        summary="Delete a message: the sender for both, the recipient for himself",
        responses={200: answer("Message deleted successfully")},
    )
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        delete_message(self.get_object(), actor=self.user)
        return Response({"message": "Message deleted successfully"})

    @extend_schema(
        tags=["messages"],
        operation_id="mark_message_read",
        summary="Mark a received message as read",
        request=None,
        responses={
            200: answer("Message marked as read"),
            403: NOT_RECIPIENT,
        },
    )
    @action(detail=True, methods=["put"])
    def read(self, request: Request, pk: str) -> Response:
        mark_message_read(parse_id(pk, missing=self.not_found), reader=self.user)
        return Response({"message": "Message marked as read"})
