from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import User
from aimessage.api.lists.listing import Listing
from aimessage.api.scopes import Scope
from assistant.filters import ReplyFilter
from assistant.models import Reply
from assistant.querysets import ReplyQuerySet
from assistant.serializers import ReplySerializer
from assistant.services.replies import REPLY_NOT_FOUND, cancel_reply, retry_reply
from assistant.views.base import AssistantViewSet
from messaging.throttles import SendThrottle


def own_replies(user: User) -> ReplyQuerySet:
    return Reply.objects.asked_by(user).with_text()


REPLIES = Listing(ReplySerializer, own_replies)
REPLY_CANCELLED = "Reply cancelled"


class ReplyViewSet(AssistantViewSet[Reply]):
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

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(REPLIES, self.user)

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.answer_item(REPLIES, self.user, pk=pk)

    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        cancel_reply(self.get_object())
        return Response({"message": REPLY_CANCELLED})

    @action(detail=True, methods=["post"], pagination_class=None)
    def retry(self, request: Request, pk: str) -> Response:
        reply = retry_reply(self.get_object())
        shown = self.answer_item(REPLIES, self.user, pk=str(reply.pk))
        shown.status_code = 202
        return shown
