from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import User
from accounts.serializers import answer
from aimessage.api.lists.listing import Listing
from aimessage.api.problems import NOT_FOUND
from aimessage.api.scopes import Scope
from assistant.filters import ReplyFilter
from assistant.models import Reply
from assistant.querysets import ReplyQuerySet
from assistant.serializers import ReplySerializer
from assistant.services.replies import NOT_FAILED, REPLY_NOT_FOUND, cancel_reply, retry_reply
from assistant.views.base import AssistantViewSet
from messaging.throttles import SendThrottle


def own_replies(user: User) -> ReplyQuerySet:
    return Reply.objects.asked_by(user).with_text()


REPLIES = Listing(ReplySerializer, own_replies)


class ReplyViewSet(AssistantViewSet):
    scopes = {
        "list": Scope.MESSAGES_READ,
        "retrieve": Scope.MESSAGES_READ,
        "destroy": Scope.MESSAGES_WRITE,
        "retry": Scope.MESSAGES_WRITE,
    }
    serializer_class = ReplySerializer
    filterset_class = ReplyFilter
    cursor_description = "the id of a reply"
    newest_first = True
    not_found = REPLY_NOT_FOUND

    def get_queryset(self) -> ReplyQuerySet:
        return Reply.objects.asked_by(self.user)

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, SendThrottle()] if self.action == "retry" else throttles

    @extend_schema(
        tags=["assistant"],
        operation_id="list_replies",
        summary="The assistant's replies to oneself, newest first",
        responses={200: ReplySerializer(many=True), 404: NOT_FOUND},
    )
    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(REPLIES, self.user)

    @extend_schema(
        tags=["assistant"],
        operation_id="get_reply",
        summary="One reply, with what is written so far",
        responses={200: ReplySerializer, 404: [REPLY_NOT_FOUND, NOT_FOUND]},
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        return self.answer_item(REPLIES, self.user, pk=pk)

    @extend_schema(
        tags=["assistant"],
        operation_id="cancel_reply",
        summary="Cancel a reply: what is written so far becomes the answer",
        responses={200: answer("Reply cancelled"), 404: [REPLY_NOT_FOUND, NOT_FOUND]},
    )
    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        cancel_reply(self.get_object())
        return Response({"message": "Reply cancelled"})

    @extend_schema(
        tags=["assistant"],
        operation_id="retry_reply",
        summary="Have a reply that failed tried again",
        request=None,
        responses={202: ReplySerializer, 404: [REPLY_NOT_FOUND, NOT_FOUND], 409: NOT_FAILED},
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def retry(self, request: Request, pk: str) -> Response:
        reply = retry_reply(self.get_object())
        shown = self.answer_item(REPLIES, self.user, pk=str(reply.pk))
        shown.status_code = 202
        return shown
