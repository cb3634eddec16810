from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import User
from aimessage.api.lists.listing import Listing
from aimessage.api.problems import NotFound
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet
from aimessage.db.compiled import Param
from messaging.aliases import real_conversation_id
from messaging.filters import MessageFilter
from messaging.models import CONVERSATION_ID_PATTERN, Message, Participant
from messaging.querysets import MessageQuerySet
from messaging.selectors import conversations_of, in_conversation
from messaging.serializers import ConversationMessageSerializer, ConversationSerializer, MessageSerializer
from messaging.services.messages import CONVERSATION_NOT_FOUND
from messaging.services.reading import mark_read
from messaging.services.typing import show_typing
from messaging.throttles import SendThrottle, TypingThrottle
from messaging.views.sending import send


def parse_conversation_id(raw: str, user: User) -> str:
    if not CONVERSATION_ID_PATTERN.fullmatch(raw):
        raise NotFound(CONVERSATION_NOT_FOUND)
    return real_conversation_id(raw, user)


def conversation_messages(user: User | Param, conversation_id: str | Param) -> MessageQuerySet:
    return in_conversation(Message.objects.visible_to(user), user, conversation_id)


def require_participant(user: User, conversation_id: str) -> None:
    if not Participant.objects.filter(conversation=conversation_id, user=user).exists():
        raise NotFound(CONVERSATION_NOT_FOUND)


CONVERSATIONS = Listing(ConversationSerializer, conversations_of, cursor_field="last_message_id")
CONVERSATION_MESSAGES = Listing(MessageSerializer, conversation_messages)
CONVERSATION_READ = "Conversation marked as read"


class ConversationViewSet(ApiViewSet[Participant]):
    scopes = {
        "list": Scope.MESSAGES_READ,
        "messages": Scope.MESSAGES_READ,
        "post_message": Scope.MESSAGES_WRITE,
        "mark_read": Scope.MESSAGES_WRITE,
        "typing": Scope.MESSAGES_WRITE,
    }
    serializer_class = ConversationSerializer
    lookup_url_kwarg = "conversation_id"
    searching = frozenset({"messages"})
    cursor_description = "the id of a conversation's last message"
    newest_first = True
    not_found = CONVERSATION_NOT_FOUND

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        own: dict[str | None, BaseThrottle] = {"post_message": SendThrottle(), "typing": TypingThrottle()}
        return [*throttles, own[self.action]] if self.action in own else throttles

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(CONVERSATIONS, self.user)

    @action(
        detail=True,
        serializer_class=MessageSerializer,
        filterset_class=MessageFilter,
        cursor_description="the id of a message",
        newest_first=False,
    )
    def messages(self, request: Request, conversation_id: str) -> Response:
        conversation_id = parse_conversation_id(conversation_id, self.user)
        answer = self.answer_list(CONVERSATION_MESSAGES, self.user, conversation_id)
        if not answer.data:  # only participants see messages
            require_participant(self.user, conversation_id)
        return answer

    @messages.mapping.post
    def post_message(self, request: Request, conversation_id: str) -> Response:
        serializer = ConversationMessageSerializer(data=request.data)
        return send(self, serializer, conversation_id=parse_conversation_id(conversation_id, self.user))

    @action(detail=True, methods=["put"], url_path="read", pagination_class=None)
    def mark_read(self, request: Request, conversation_id: str) -> Response:
        conversation_id = parse_conversation_id(conversation_id, self.user)
        require_participant(self.user, conversation_id)
        mark_read(conversation_messages(self.user, conversation_id), reader=self.user)
        return Response({"message": CONVERSATION_READ})

    @action(detail=True, methods=["post"], pagination_class=None)
    def typing(self, request: Request, conversation_id: str) -> Response:
        show_typing(self.user, conversation_id=parse_conversation_id(conversation_id, self.user))
        return Response(status=204)
