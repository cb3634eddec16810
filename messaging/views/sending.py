"""What both ways to send a message share."""

from rest_framework.response import Response

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.serializers import RowSerializer
from aimessage.api.viewsets import ApiViewSet, ModelT
from messaging.aliases import real_conversation_id
from messaging.services.messages import send_message


def send(view: ApiViewSet[ModelT], serializer: RowSerializer, **extra: object) -> Response:
    """Sends what `serializer` read, with what the path adds; answers 201, a replay marked as such."""
    serializer.is_valid(raise_exception=True)
    fields = {**serializer.validated_data, **extra}
    if named := fields.get("conversation_id"):
        fields["conversation_id"] = real_conversation_id(named, view.user)
    key = read_idempotency_key(view.request, fields)
    serializer.instance, is_new = send_message(view.user, **fields, idempotency_key=key)
    return created(serializer, is_new=is_new)


def created(serializer: RowSerializer, *, is_new: bool) -> Response:
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    shown = type(serializer).show(serializer.instance)
    return Response(shown, status=201, headers=headers)
