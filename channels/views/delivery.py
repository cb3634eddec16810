from rest_framework.request import Request
from rest_framework.response import Response

from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet
from channels.models import Delivery
from channels.serializers import DeliverySerializer
from channels.switch import twilio_or_404
from messaging.models import Message
from messaging.querysets import MessageQuerySet
from messaging.services.messages import MESSAGE_NOT_FOUND


class DeliveryViewSet(ApiViewSet[Message]):
    scopes = {"retrieve": Scope.MESSAGES_READ}
    serializer_class = DeliverySerializer  # type: ignore[assignment]  # shows the parts of what is looked up
    not_found = MESSAGE_NOT_FOUND
    pagination_class = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> MessageQuerySet:
        return Message.objects.visible_to(self.user)

    def retrieve(self, request: Request, pk: str) -> Response:
        parts = Delivery.objects.filter(message=self.get_object()).select_related("thread").order_by("part")
        return Response(self.get_serializer(parts, many=True).data)
