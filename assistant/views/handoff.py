from rest_framework.request import Request
from rest_framework.response import Response

from aimessage.api.scopes import Scope
from assistant.models import Profile
from assistant.serializers import HandoffSerializer
from assistant.services.handoff import hand_over, take_back
from assistant.views.base import AssistantViewSet

TAKEN_BACK = "The assistant answers again"


class HandoffViewSet(AssistantViewSet[Profile]):
    scopes = {"create": Scope.MESSAGES_WRITE, "destroy": Scope.MESSAGES_WRITE}
    serializer_class = HandoffSerializer
    pagination_class = None

    def create(self, request: Request) -> Response:
        report, is_new = hand_over(self.user, reason=self.read(request).get("reason") or "")
        return Response({"report_id": report.pk}, status=201 if is_new else 200)

    def destroy(self, request: Request) -> Response:
        take_back(self.user)
        return Response({"message": TAKEN_BACK})
