"""What both ways to send a message share."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.serializers import RowSerializer
from aimessage.api.viewsets import ApiViewSet
from messaging.aliases import real_conversation_id
from messaging.services import extensions
from messaging.services.messages import (
    BLOCKED,
    CONVERSATION_NOT_FOUND,
    NO_SUCH_PARENT,
    OTHER_RECIPIENT,
    RECIPIENT_NOT_FOUND,
    TO_YOURSELF,
    send_message,
)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description=(
        "1 to 255 visible ASCII characters. The same key and body again, within a week, make nothing new."
    ),
    type={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)
#: What else POST may answer, for the API's description.
NOT_SENT = {
    400: [TO_YOURSELF, OTHER_RECIPIENT, NO_SUCH_PARENT],
    **extensions.refusals,
    403: [BLOCKED, *extensions.refusals.get(403, [])],
    404: [RECIPIENT_NOT_FOUND, CONVERSATION_NOT_FOUND],
}


def send(view: ApiViewSet, serializer: RowSerializer, **extra: Any) -> Response:
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
