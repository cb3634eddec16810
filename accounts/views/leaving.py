"""Export and deletion of the user's own account."""

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.serializers.leaving import CancellationSerializer, DeletionSerializer, ExportSerializer
from accounts.services.exporting import export
from accounts.services.leaving import cancel_with_password, cancel_with_token, request_deletion
from accounts.services.proof import check_proof
from accounts.throttles import LoginThrottle
from accounts.views.base import PUBLIC
from aimessage.api.renderers import OrjsonRenderer
from aimessage.api.throttles import seconds_to_wait
from aimessage.api.viewsets import ApiViewSet

ZIP = "application/zip"
DELETED, WILL_BE_DELETED = "Account deleted", "Account will be deleted"
WILL_STAY = "Account will stay"


class ZipRenderer(OrjsonRenderer):
    """Accepts `Accept: application/zip`. It renders only errors, as JSON."""

    media_type = ZIP
    format = "zip"


class LeavingViewSet(ApiViewSet[User]):
    pagination_class = None

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
            return Response({"message": DELETED})
        return Response({"message": WILL_BE_DELETED, "deletion_at": deletion_at}, status=202)

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
        return Response({"message": WILL_STAY})
