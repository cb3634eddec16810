from drf_spectacular.utils import extend_schema

from aimessage.api.problems import NOT_FOUND, THROTTLED, Reason
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription
from aimessage.api.schema.parts import IDEMPOTENCY_KEY
from assistant.serializers import (
    AssistantSerializer,
    HandedOverSerializer,
    HistorySerializer,
    ReplySerializer,
)
from assistant.services.allowance import NO_ALLOWANCE
from assistant.services.replies import NOT_FAILED, REPLY_NOT_FOUND
from assistant.services.waiting import BUSY, CANCELLED, WILL_FOLLOW
from assistant.views.assistant import ProfileViewSet
from assistant.views.handoff import TAKEN_BACK, HandoffViewSet
from assistant.views.questions import FORGOTTEN, HistoryViewSet, QuestionViewSet
from assistant.views.replies import REPLY_CANCELLED, ReplyViewSet
from messaging.serializers import MessageSerializer
from messaging.services.messages import BLOCKED, RECIPIENT_NOT_FOUND


class ProfileDescription(ViewDescription):
    target_class = ProfileViewSet
    operations = {
        "retrieve": extend_schema(
            tags=["assistant"],
            operation_id="get_assistant",
            summary="Who the assistant is, what it may see, and what is left of one's allowance",
            responses={200: AssistantSerializer, 404: NOT_FOUND},
        ),
        "partial_update": extend_schema(
            tags=["assistant"],
            operation_id="update_assistant",
            summary="Let the assistant search one's messages, or not",
            request=AssistantSerializer,
            responses={200: AssistantSerializer, 404: NOT_FOUND},
        ),
    }


class HandoffDescription(ViewDescription):
    target_class = HandoffViewSet
    operations = {
        "create": extend_schema(
            tags=["assistant"],
            operation_id="ask_for_person",
            summary="Ask for a person, who answers in the assistant's place",
            description="This files a report with the moderators, and counts as one.",
            responses={
                201: HandedOverSerializer,
                200: HandedOverSerializer,
                403: BLOCKED,
                404: NOT_FOUND,
                429: Reason(THROTTLED.format(wait=42)),
            },
        ),
        "destroy": extend_schema(
            tags=["assistant"],
            operation_id="take_back_assistant",
            summary="Have the assistant answer again",
            responses={200: answer(TAKEN_BACK), 404: NOT_FOUND},
        ),
    }


#: The answers of both ways to ask a question.
ANSWERS = {
    200: MessageSerializer,
    403: BLOCKED,
    404: [NOT_FOUND, RECIPIENT_NOT_FOUND],
    409: CANCELLED,
    429: NO_ALLOWANCE,
    503: [WILL_FOLLOW, BUSY],
}


class QuestionDescription(ViewDescription):
    target_class = QuestionViewSet
    operations = {
        "ask": extend_schema(
            tags=["assistant"],
            operation_id="ask_assistant",
            summary="Ask the assistant, and wait for its answer",
            parameters=[IDEMPOTENCY_KEY],
            responses=ANSWERS,
        ),
        "ask_twilio": extend_schema(
            tags=["assistant"],
            operation_id="ask_assistant_twilio",
            summary="The same",
            parameters=[IDEMPOTENCY_KEY],
            responses=ANSWERS,
        ),
    }


class HistoryDescription(ViewDescription):
    target_class = HistoryViewSet
    operations = {
        "retrieve": extend_schema(
            tags=["assistant"],
            operation_id="get_history",
            summary="What the assistant remembers of the conversation, oldest first",
            responses={200: HistorySerializer, 404: NOT_FOUND},
        ),
        "clear": extend_schema(
            tags=["assistant"],
            operation_id="clear_history",
            summary="Have the assistant forget the conversation; no message is deleted",
            responses={200: answer(FORGOTTEN), 404: NOT_FOUND},
        ),
    }


class ReplyDescription(ViewDescription):
    target_class = ReplyViewSet
    operations = {
        "list": extend_schema(
            tags=["assistant"],
            operation_id="list_replies",
            summary="The assistant's replies to oneself, newest first",
            responses={200: ReplySerializer(many=True), 404: NOT_FOUND},
        ),
        "retrieve": extend_schema(
            tags=["assistant"],
            operation_id="get_reply",
            summary="One reply, with what is written so far",
            responses={200: ReplySerializer, 404: [REPLY_NOT_FOUND, NOT_FOUND]},
        ),
        "destroy": extend_schema(
            tags=["assistant"],
            operation_id="cancel_reply",
            summary="Cancel a reply: what is written so far becomes the answer",
            responses={200: answer(REPLY_CANCELLED), 404: [REPLY_NOT_FOUND, NOT_FOUND]},
        ),
        "retry": extend_schema(
            tags=["assistant"],
            operation_id="retry_reply",
            summary="Have a reply that failed tried again",
            request=None,
            responses={202: ReplySerializer, 404: [REPLY_NOT_FOUND, NOT_FOUND], 409: NOT_FAILED},
        ),
    }
