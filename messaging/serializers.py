from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import User
from aimessage.api.serializers import RowModelSerializer, RowSerializer
from aimessage.db.fields import IdField, StringField, VisibleField
from messaging.aliases import real_user_id
from messaging.models import CONTENT_MAX_LENGTH, Block, Message, Participant, validate_conversation_id

EXAMPLE_MESSAGE = {
    "id": 42,
    "sender_id": 1,
    "recipient_id": 2,
    "content": "Shall we meet at noon?",
    "is_read": False,
    "parent_id": None,
    "conversation_id": "conv_1_2",
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
}
MESSAGE_FIELDS = list(EXAMPLE_MESSAGE)


class ContentField(VisibleField):
    """The text of a message or a report, stored exactly as sent."""

    def __init__(self) -> None:
        super().__init__(max_length=CONTENT_MAX_LENGTH, trim_whitespace=False)


class UserIdField(IdField):
    """The id of an account, or an alias (aliases.py)."""

    def to_internal_value(self, data: object) -> int:
        real = real_user_id(data) if type(data) is int else None
        return super().to_internal_value(data) if real is None else real


@extend_schema_serializer(
    examples=[
        OpenApiExample("Message", value=EXAMPLE_MESSAGE, response_only=True),
        OpenApiExample(
            "First message",
            value={"recipient_id": 2, "content": "Shall we meet at noon?"},
            request_only=True,
        ),
        OpenApiExample(
            "Reply",
            value={"recipient_id": 2, "content": "At one, then.", "parent_id": 41},
            request_only=True,
        ),
    ]
)
class MessageSerializer(RowModelSerializer[Message]):
    sender_id = serializers.IntegerField(read_only=True, allow_null=True)
    recipient_id = UserIdField()
    content = ContentField()
    parent_id = IdField(required=False, allow_null=True)
    conversation_id = StringField(
        required=False, allow_null=True, trim_whitespace=False, validators=[validate_conversation_id]
    )

    class Meta:
        model = Message
        fields = MESSAGE_FIELDS
        read_only_fields = ["id", "is_read", "created_at", "updated_at"]


@extend_schema_serializer(
    examples=[
        OpenApiExample("Message", value=EXAMPLE_MESSAGE, response_only=True),
        OpenApiExample("Reply", value={"content": "At one, then."}, request_only=True),
    ]
)
class ConversationMessageSerializer(MessageSerializer):
    """A message to a conversation that the path names; a standing one knows its recipient."""

    recipient_id = UserIdField(required=False, allow_null=True)
    conversation_id = StringField(read_only=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample("Message", value=EXAMPLE_MESSAGE, response_only=True),
        OpenApiExample("Edit", value={"content": "Shall we meet at one?"}, request_only=True),
    ]
)
class MessageEditSerializer(MessageSerializer):
    recipient_id = UserIdField(read_only=True, allow_null=True)
    parent_id = IdField(read_only=True, allow_null=True)
    conversation_id = StringField(read_only=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Conversation",
            value={
                "conversation_id": "conv_1_2",
                "other_user_id": 2,
                "other_user_name": "bob",
                "other_user_kind": "person",
                "last_message": "Shall we meet at noon?",
                "last_message_at": "2026-01-02T03:04:05.678901Z",
                "unread_count": 0,
            },
        )
    ]
)
class ConversationSerializer(RowSerializer[Participant]):
    conversation_id = serializers.CharField()
    other_user_id = serializers.IntegerField(allow_null=True)
    other_user_name = serializers.CharField()
    other_user_kind = serializers.ChoiceField(User.Kind.choices, allow_null=True)
    last_message = serializers.CharField(source="preview")
    last_message_at = serializers.DateTimeField()
    unread_count = serializers.IntegerField()


@extend_schema_serializer(examples=[OpenApiExample("Count", value={"unread_count": 3})])
class UnreadCountSerializer(serializers.Serializer[None]):
    unread_count = serializers.IntegerField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Person", value={"id": 2, "username": "bob", "full_name": "Bob Baker", "kind": "person"}
        )
    ]
)
class PersonSerializer(RowModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "full_name", "kind"]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Block",
            value={
                "user_id": 9,
                "username": "mallory",
                "created_at": "2026-01-02T03:04:05.678901Z",
            },
            response_only=True,
        ),
        OpenApiExample("Whom to block", value={"user_id": 9}, request_only=True),
    ]
)
class BlockSerializer(RowModelSerializer[Block]):
    user_id = UserIdField(source="blocked_id")
    username = serializers.CharField(source="blocked.username", read_only=True)

    class Meta:
        model = Block
        fields = ["user_id", "username", "created_at"]
        read_only_fields = ["created_at"]
