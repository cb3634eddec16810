"""The paths of the former backend: an answer within one request, and the assistant's memory."""

from rest_framework.request import Request
from rest_framework.response import Response

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.scopes import Scope
from assistant.account import get_profile
from assistant.context import current_history, forget
from assistant.models import Profile
from assistant.serializers import HistorySerializer, QuestionSerializer
from assistant.services.waiting import seat, wait_for_answer
from assistant.views.base import AssistantViewSet
from messaging.serializers import MessageSerializer
from messaging.services.messages import send_message
from messaging.throttles import SendThrottle

FORGOTTEN = "Chat history cleared successfully"


class QuestionViewSet(AssistantViewSet[Profile]):
    scopes = {"ask": Scope.MESSAGES_WRITE, "ask_twilio": Scope.MESSAGES_WRITE}
    serializer_class = QuestionSerializer
    pagination_class = None
    throttle_classes = [SendThrottle]

    def ask(self, request: Request) -> Response:
        fields = {"recipient_id": get_profile().user_id, **self.read(request)}
        key = read_idempotency_key(request, fields)
        with seat():
            question, is_new = send_message(self.user, **fields, idempotency_key=key)
            shown = MessageSerializer.show(wait_for_answer(question))
        return Response(shown, headers={} if is_new else {"Idempotent-Replayed": "true"})

    def ask_twilio(self, request: Request) -> Response:
        return self.ask(request)


class HistoryViewSet(AssistantViewSet[Profile]):
    scopes = {"retrieve": Scope.MESSAGES_READ, "clear": Scope.MESSAGES_WRITE}
    serializer_class = HistorySerializer
    pagination_class = None

    def retrieve(self, request: Request) -> Response:
        turns = current_history(self.user, get_profile())
        history = [{"role": turn.role, "content": turn.content} for turn in turns]
        return Response({"history": history, "message_count": len(history)})

    def clear(self, request: Request) -> Response:
        forget(self.user, get_profile())
        return Response({"message": FORGOTTEN})
