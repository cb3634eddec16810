from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aimessage.api.serializers import RowModelSerializer
from aimessage.db.fields import FlagField, StringField
from assistant.models import Profile, Reply
from messaging.models import CONTENT_MAX_LENGTH
from messaging.serializers import ContentField

EXAMPLE_REPLY = {
    "id": 7,
    "question_id": 42,
    "answer_id": 43,
    "conversation_id": "conv_1_5",
    "state": "done",
    "text": "At noon, as you wrote yesterday.",
    "reason": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "finished_at": "2026-01-02T03:04:09.012345Z",
}


@extend_schema_serializer(
    examples=[OpenApiExample("Reply", value=EXAMPLE_REPLY, response_only=True, status_codes=["200", "202"])]
)
class ReplySerializer(RowModelSerializer):
    question_id = serializers.IntegerField(read_only=True)
    answer_id = serializers.IntegerField(read_only=True, allow_null=True)
    text = serializers.CharField(source="shown_text", read_only=True)

    class Meta:
        model = Reply
        fields = list(EXAMPLE_REPLY)
        read_only_fields = fields


@extend_schema_serializer(
    examples=[OpenApiExample("Question", value={"content": "What can you do?"}, request_only=True)]
)
class QuestionSerializer(serializers.Serializer[Profile]):
    content = ContentField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Assistant",
            value={
                "user_id": 5,
                "username": "assistant",
                "full_name": "Assistant (AI)",
                "disclosure": "I am an AI assistant, a program and no person. What I write may be wrong.",
                "provider": "api.openai.com",
                "model": "gpt-5-mini",
                "share_messages": False,
                "paused": False,
                "tokens_per_day": 50000,
                "tokens_used": 1234,
                "resets_at": "2026-01-03T00:00:00.000000Z",
            },
            response_only=True,
        ),
        OpenApiExample("Let it search one's messages", value={"share_messages": True}, request_only=True),
    ]
)
class AssistantSerializer(serializers.Serializer[Profile]):
    user_id = serializers.IntegerField(read_only=True)
    username = serializers.CharField(read_only=True)
    full_name = serializers.CharField(read_only=True, allow_null=True)
    disclosure = serializers.CharField(read_only=True)
    provider = serializers.CharField(
        read_only=True, help_text="The host that is shown what one writes to the assistant."
    )
    model = serializers.CharField(read_only=True)
    share_messages = FlagField(
        required=False,
        help_text="Whether the assistant may search one's own messages, and show them to the provider.",
    )
    paused = serializers.BooleanField(read_only=True, help_text="Whether a person answers in its place.")
    tokens_per_day = serializers.IntegerField(read_only=True, help_text="0 for no limit.")
    tokens_used = serializers.IntegerField(read_only=True)
    resets_at = serializers.DateTimeField(read_only=True)


@extend_schema_serializer(
    examples=[OpenApiExample("Handoff", value={"reason": "My order never came."}, request_only=True)]
)
class HandoffSerializer(serializers.Serializer[Profile]):
    reason = StringField(
        required=False,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        max_length=CONTENT_MAX_LENGTH,
        help_text="What the moderators read.",
    )


@extend_schema_serializer(examples=[OpenApiExample("Handed over", value={"report_id": 3})])
class HandedOverSerializer(serializers.Serializer[object]):
    report_id = serializers.IntegerField()


class TurnSerializer(serializers.Serializer[object]):
    role = serializers.ChoiceField(["user", "assistant"])
    content = serializers.CharField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "History",
            value={
                "history": [
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hello! What can I do for you?"},
                ],
                "message_count": 2,
            },
        )
    ]
)
class HistorySerializer(serializers.Serializer[Profile]):
    history = TurnSerializer(many=True)
    message_count = serializers.IntegerField()
