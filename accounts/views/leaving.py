"""Taking one's data along, and leaving."""

from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import AnswerSerializer, answer, example
from accounts.serializers.proof import ProofSerializer
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.exporting import export
from accounts.services.leaving import (
    LINK_INVALID,
    cancel_with_password,
    cancel_with_token,
    request_deletion,
)
from accounts.services.pending_logins import SECOND_FACTOR_REQUIRED
from accounts.services.proof import WRONG_PASSWORD, check_proof
from accounts.services.sessions import WRONG_CREDENTIALS
from accounts.services.users import LAST_SUPERUSER
from accounts.throttles import LoginThrottle
from accounts.views.base import PROOF_REFUSED, PUBLIC, UNAVAILABLE
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.problems import Reason
from aimessage.api.renderers import OrjsonRenderer
from aimessage.api.throttles import seconds_to_wait
from aimessage.api.viewsets import ApiViewSet
from aimessage.db.fields import StringField

ZIP = "application/zip"
REQUIRED = Reason("This field is required.", "required")
_PROOF = {"current_password": "violet-tractor-42"}


class ZipRenderer(OrjsonRenderer):
    """Lets `Accept: application/zip` through; what it renders are problems."""

    media_type = ZIP
    format = "zip"


@example(_PROOF)
class ExportSerializer(ProofSerializer):
    pass


@example({**_PROOF, "messages": "erase"})
class DeletionSerializer(ProofSerializer):
    messages = serializers.ChoiceField(
        ["keep", "erase"],
        default="keep",
        help_text="Whether those who received your messages keep them, under no name.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Example",
            value={"message": "Account will be deleted", "deletion_at": "2026-01-16T03:04:05.678901Z"},
            status_codes=["202"],
        )
    ]
)
class DeletionAnswerSerializer(AnswerSerializer):
    deletion_at = serializers.DateTimeField()


@example({"username": "alice", "password": "violet-tractor-42"})
class CancellationSerializer(serializers.Serializer[Any]):
    token = StringField(
        required=False,
        trim_whitespace=False,
        allow_blank=True,
        allow_null=True,
        help_text="From the mail. Nothing else is needed with it.",
    )
    username = StringField(required=False, allow_null=True)
    password = StringField(required=False, allow_null=True, trim_whitespace=False)
    code = StringField(required=False, allow_null=True, allow_blank=True)
    recovery_code = StringField(required=False, allow_null=True, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        sent = {name: value for name, value in attrs.items() if value is not None}
        missing = [name for name in ("username", "password") if name not in sent]
        if missing and "token" not in sent:
            raise serializers.ValidationError({name: [REQUIRED] for name in missing})
        return sent


class LeavingViewSet(ApiViewSet):
    serializer_class = ProofSerializer
    pagination_class = None

    @extend_schema(
        tags=["accounts"],
        operation_id="export_me",
        summary="Take along all that one has here, as a zip",
        request=ExportSerializer,
        responses={
            (200, ZIP): OpenApiResponse(OpenApiTypes.BINARY),
            400: [WRONG_PASSWORD, WRONG_CODE],
            403: PROOF_REFUSED,
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="me/export",
        serializer_class=ExportSerializer,
        throttle_classes=[LoginThrottle],
        renderer_classes=[ZipRenderer, OrjsonRenderer],
    )
    def export(self, request: Request) -> HttpResponseBase:
        check_proof(request, **self.read(request))
        wait = seconds_to_wait("export", str(self.user.pk))
        if wait is not None:
            raise Throttled(wait)
        return StreamingHttpResponse(
            export(self.user),
            content_type=ZIP,
            headers={"Content-Disposition": 'attachment; filename="account.zip"'},
        )

    @extend_schema(
        tags=["accounts"],
        operation_id="delete_me",
        summary="Leave: disabled at once, deleted some days later",
        request=DeletionSerializer,
        responses={
            200: answer("Account deleted"),
            202: DeletionAnswerSerializer,
            400: [WRONG_PASSWORD, WRONG_CODE],
            403: [*PROOF_REFUSED, LAST_SUPERUSER],
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="me/delete",
        serializer_class=DeletionSerializer,
        throttle_classes=[LoginThrottle],
    )
    def leave(self, request: Request) -> Response:
        data = self.read(request)
        messages = data.pop("messages")
        check_proof(request, **data)
        deletion_at = request_deletion(self.user, erases=messages == "erase")
        if deletion_at is None:
            return Response({"message": "Account deleted"})
        return Response({"message": "Account will be deleted", "deletion_at": deletion_at}, status=202)

    @extend_schema(
        tags=["accounts"],
        operation_id="cancel_deletion",
        summary="Stay after all",
        request=CancellationSerializer,
        responses={
            200: answer("Account will stay"),
            403: [SECOND_FACTOR_REQUIRED, RESET_REQUIRED],
            401: [WRONG_CREDENTIALS, WRONG_CODE, LINK_INVALID],
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="deletion/cancel",
        serializer_class=CancellationSerializer,
        throttle_classes=[LoginThrottle],
        **PUBLIC,
    )
    def cancel(self, request: Request) -> Response:
        data = self.read(request)
        if "token" in data:
            cancel_with_token(data["token"])
        else:
            cancel_with_password(request._request, **data)
        return Response({"message": "Account will stay"})
