"""The paths of the former backend: an answer in one request, and what the assistant remembers."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import answer
from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.problems import NOT_FOUND
from aimessage.api.scopes import Scope
from assistant.account import get_profile
from assistant.context import current_history, forget
from assistant.serializers import HistorySerializer, QuestionSerializer
from assistant.services.allowance import NO_ALLOWANCE
from assistant.services.waiting import BUSY, CANCELLED, WILL_FOLLOW, seat, wait_for_answer
from assistant.views.base import AssistantViewSet
from messaging.serializers import MessageSerializer
from messaging.services.messages import BLOCKED, RECIPIENT_NOT_FOUND, send_message
from messaging.throttles import SendThrottle
from messaging.views.sending import IDEMPOTENCY_KEY

ANSWERS = {
    200: MessageSerializer,
    403: BLOCKED,
    404: [NOT_FOUND, RECIPIENT_NOT_FOUND],
    409: CANCELLED,
    429: NO_ALLOWANCE,
    503: [WILL_FOLLOW, BUSY],
}


class QuestionViewSet(AssistantViewSet):
    scopes = {"ask": Scope.MESSAGES_WRITE, "ask_twilio": Scope.MESSAGES_WRITE}
    serializer_class = QuestionSerializer
    pagination_class = None
    throttle_classes = [SendThrottle]

    @extend_schema(
        tags=["assistant"],
        operation_id="ask_assistant",
        summary="Ask the assistant, and wait for its answer",
        parameters=[IDEMPOTENCY_KEY],
        responses=ANSWERS,
    )
    def ask(self, request: Request) -> Response:
        fields = {"recipient_id": get_profile().user_id, **self.read(request)}
        key = read_idempotency_key(request, fields)
        with seat():
            question, is_new = send_message(self.user, **fields, idempotency_key=key)
            shown = MessageSerializer.show(wait_for_answer(question))
        return Response(shown, headers={} if is_new else {"Idempotent-Replayed": "true"})

    @extend_schema(
        tags=["assistant"],
        operation_id="ask_assistant_twilio",
        summary="The same",
        parameters=[IDEMPOTENCY_KEY],
        responses=ANSWERS,
    )
    def ask_twilio(self, request: Request) -> Response:
        return self.ask(request)


class HistoryViewSet(AssistantViewSet):
    scopes = {"retrieve": Scope.MESSAGES_READ, "clear": Scope.MESSAGES_WRITE}
    serializer_class = HistorySerializer
    pagination_class = None

    @extend_schema(
        tags=["assistant"],
        operation_id="get_history",
        summary="What the assistant remembers of the conversation, oldest first",
        responses={200: HistorySerializer, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request) -> Response:
        turns = current_history(self.user, get_profile())
        history: list[dict[str, Any]] = [{"role": turn.role, "content": turn.content} for turn in turns]
        return Response({"history": history, "message_count": len(history)})

    @extend_schema(
        tags=["assistant"],
        operation_id="clear_history",
        summary="Have the assistant forget the conversation; no message is deleted",
        responses={200: answer("Chat history cleared successfully"), 404: NOT_FOUND},
    )
    def clear(self, request: Request) -> Response:
        forget(self.user, get_profile())
        return Response({"message": "Chat history cleared successfully"})
