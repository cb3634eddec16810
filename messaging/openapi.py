from drf_spectacular.utils import OpenApiParameter, extend_schema

from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription
from aimessage.api.schema.parts import IDEMPOTENCY_KEY
from messaging.models import CONVERSATION_ID_MAX_LENGTH
from messaging.serializers import (
    BlockSerializer,
    ConversationMessageSerializer,
    MessageSerializer,
    UnreadCountSerializer,
)
from messaging.services import extensions
from messaging.services.blocks import BLOCK_YOURSELF, USER_NOT_FOUND
from messaging.services.messages import (
    BLOCKED,
    CONVERSATION_NOT_FOUND,
    NO_SUCH_PARENT,
    NOT_SENDER,
    OTHER_RECIPIENT,
    RECIPIENT_NOT_FOUND,
    TO_YOURSELF,
)
from messaging.services.reading import NOT_RECIPIENT
from messaging.views.conversations import CONVERSATION_READ, ConversationViewSet
from messaging.views.messages import ALL_READ, MESSAGE_DELETED, MESSAGE_READ, MessageViewSet
from messaging.views.people import (
    MAX_PEOPLE,
    SEARCH_MAX_LENGTH,
    SEARCH_MIN_LENGTH,
    UNBLOCKED,
    BlockViewSet,
    DirectoryViewSet,
    PeopleViewSet,
)

CONVERSATION_ID = OpenApiParameter(
    "conversation_id",
    location=OpenApiParameter.PATH,
    type={
        "type": "string",
        "minLength": 1,
        "maxLength": CONVERSATION_ID_MAX_LENGTH,
        "pattern": "^[A-Za-z0-9_.:@+-]+$",
        "example": "conv_1_2",
    },
)
#: What else POST may answer.
NOT_SENT = {
    400: [TO_YOURSELF, OTHER_RECIPIENT, NO_SUCH_PARENT],
    **extensions.refusals,
    403: [BLOCKED, *extensions.refusals.get(403, [])],
    404: [RECIPIENT_NOT_FOUND, CONVERSATION_NOT_FOUND],
}
#: What else PUT and PATCH may answer.
NOT_EDITED = {403: [NOT_SENDER, BLOCKED]}


class ConversationDescription(ViewDescription):
    target_class = ConversationViewSet
    operations = {
        "list": extend_schema(
            tags=["conversations"],
            operation_id="list_conversations",
            summary="One's conversations, latest activity first",
        ),
        "messages": extend_schema(
            tags=["conversations"],
            operation_id="list_conversation_messages",
            summary="The messages of a conversation",
            parameters=[CONVERSATION_ID, OpenApiParameter("conversation_id", exclude=True)],
            responses=MessageSerializer(many=True),
        ),
        "post_message": extend_schema(
            tags=["conversations"],
            operation_id="send_conversation_message",
            summary="Send a message to a conversation; a new id starts one",
            parameters=[CONVERSATION_ID, IDEMPOTENCY_KEY],
            request=ConversationMessageSerializer,
            responses={201: MessageSerializer, **NOT_SENT},
            filters=False,
        ),
        "mark_read": extend_schema(
            tags=["conversations"],
            operation_id="mark_conversation_read",
            summary="Mark the messages received in a conversation as read",
            parameters=[CONVERSATION_ID],
            request=None,
            responses={200: answer(CONVERSATION_READ)},
        ),
        "typing": extend_schema(
            tags=["conversations"],
            operation_id="show_typing",
            summary="Show the other participant that one is typing, for six seconds",
            parameters=[CONVERSATION_ID],
            request=None,
            responses={204: None, 403: BLOCKED, 404: CONVERSATION_NOT_FOUND},
        ),
    }


class MessageDescription(ViewDescription):
    target_class = MessageViewSet
    operations = {
        "list": extend_schema(
            tags=["messages"], operation_id="list_messages", summary="Messages sent or received"
        ),
        "sent": extend_schema(
            tags=["messages"],
            operation_id="list_sent_messages",
            summary="Messages sent",
            responses=MessageSerializer(many=True),
        ),
        "received": extend_schema(
            tags=["messages"],
            operation_id="list_received_messages",
            summary="Messages received",
            responses=MessageSerializer(many=True),
        ),
        "unread_count": extend_schema(
            tags=["messages"],
            operation_id="get_unread_count",
            summary="How many received messages are unread",
            responses=UnreadCountSerializer,
            filters=False,
        ),
        "read_all": extend_schema(
            tags=["messages"],
            operation_id="mark_all_messages_read",
            summary="Mark all received messages as read",
            request=None,
            responses={200: answer(ALL_READ)},
        ),
        "create": extend_schema(
            tags=["messages"],
            operation_id="send_message",
            summary="Send a message",
            parameters=[IDEMPOTENCY_KEY],
            responses={201: MessageSerializer, **NOT_SENT},
        ),
        "retrieve": extend_schema(tags=["messages"], operation_id="get_message", summary="One message"),
        "update": extend_schema(
            tags=["messages"],
            operation_id="update_message",
            summary="Change the text of a message",
            responses={200: MessageSerializer, **NOT_EDITED},
        ),
        "partial_update": extend_schema(
            tags=["messages"],
            operation_id="patch_message",
            summary="The same as PUT",
            responses={200: MessageSerializer, **NOT_EDITED},
        ),
        "destroy": extend_schema(
            tags=["messages"],
            operation_id="delete_message",
            summary="Delete a message: the sender for both, the recipient for himself",
            responses={200: answer(MESSAGE_DELETED)},
        ),
        "mark_read": extend_schema(
            tags=["messages"],
            operation_id="mark_message_read",
            summary="Mark a received message as read",
            request=None,
            responses={
                200: answer(MESSAGE_READ),
                403: NOT_RECIPIENT,
            },
        ),
    }


class PeopleDescription(ViewDescription):
    target_class = PeopleViewSet
    operations = {
        "list": extend_schema(
            tags=["people"],
            operation_id="list_people",
            summary="People by their ids: those one talks with, or could write to",
            parameters=[
                OpenApiParameter(
                    "ids",
                    required=True,
                    description="Others than those are left out of the answer.",
                    type={
                        "type": "array",
                        "items": {"type": "integer"},
                        "minItems": 1,
                        "maxItems": MAX_PEOPLE,
                        "example": [2, 9],
                    },
                    style="form",
                    explode=False,
                )
            ],
        ),
    }


class DirectoryDescription(ViewDescription):
    target_class = DirectoryViewSet
    operations = {
        "list": extend_schema(
            tags=["people"],
            operation_id="search_directory",
            summary="People one can write to",
            parameters=[
                OpenApiParameter(
                    "search",
                    required=True,
                    description=(
                        "The start of a username, or of a word of a full name: 2 characters at least, or one"
                        " that is no letter of an alphabet, as \u5f20."
                    ),
                    type={
                        "type": "string",
                        "minLength": SEARCH_MIN_LENGTH,
                        "maxLength": SEARCH_MAX_LENGTH,
                    },
                )
            ],
        ),
    }


class BlockDescription(ViewDescription):
    target_class = BlockViewSet
    operations = {
        "list": extend_schema(tags=["people"], operation_id="list_blocks", summary="Whom one has blocked"),
        "create": extend_schema(
            tags=["people"],
            operation_id="block_user",
            summary="Block a user: neither can write to the other",
            responses={
                201: BlockSerializer,
                200: BlockSerializer,
                400: BLOCK_YOURSELF,
                404: USER_NOT_FOUND,
            },
        ),
        "destroy": extend_schema(
            tags=["people"],
            operation_id="unblock_user",
            summary="Lift a block",
            responses={200: answer(UNBLOCKED)},
        ),
    }
