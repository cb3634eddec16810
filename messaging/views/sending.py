"""Shared by the two endpoints that send a message."""

from rest_framework.response import Response

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.serializers import RowSerializer
from aimessage.api.viewsets import ApiViewSet, ModelT
from messaging.aliases import real_conversation_id
from messaging.models import Message
from messaging.services.messages import send_message


def send(view: ApiViewSet[ModelT], serializer: RowSerializer[Message], **extra: object) -> Response:
    serializer.is_valid(raise_exception=True)
    fields = {**serializer.validated_data, **extra}
    if named := fields.get("conversation_id"):
        fields["conversation_id"] = real_conversation_id(named, view.user)
    key = read_idempotency_key(view.request, fields)
    message, is_new = send_message(view.user, **fields, idempotency_key=key)
    return created(type(serializer).show(message), is_new=is_new)


def created(shown: dict[str, object], *, is_new: bool) -> Response:
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    return Response(shown, status=201, headers=headers)
