from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import answer
from aimessage.api.problems import NOT_FOUND, THROTTLED, Reason
from aimessage.api.scopes import Scope
from assistant.serializers import HandedOverSerializer, HandoffSerializer
from assistant.services.handoff import hand_over, take_back
from assistant.views.base import AssistantViewSet
from messaging.services.messages import BLOCKED


class HandoffViewSet(AssistantViewSet):
    scopes = {"create": Scope.MESSAGES_WRITE, "destroy": Scope.MESSAGES_WRITE}
    serializer_class = HandoffSerializer
    pagination_class = None

    @extend_schema(
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
    )
    def create(self, request: Request) -> Response:
        report, is_new = hand_over(self.user, reason=self.read(request).get("reason") or "")
        return Response({"report_id": report.pk}, status=201 if is_new else 200)

    @extend_schema(
        tags=["assistant"],
        operation_id="take_back_assistant",
        summary="Have the assistant answer again",
        responses={200: answer("The assistant answers again"), 404: NOT_FOUND},
    )
    def destroy(self, request: Request) -> Response:
        take_back(self.user)
        return Response({"message": "The assistant answers again"})
