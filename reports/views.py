from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.lists.listing import Listing
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin
from messaging.views.sending import IDEMPOTENCY_KEY, created
from reports.filters import ReportFilter
from reports.models import Report
from reports.querysets import ReportQuerySet
from reports.serializers import ReportEditSerializer, ReportSerializer
from reports.services import (
    NO_SUCH_MESSAGE,
    NOT_OPEN,
    NOT_REPORTER,
    REPORT_NOT_FOUND,
    file_report,
    update_report,
)
from reports.throttles import ReportThrottle

OWN_REPORTS = Listing(ReportSerializer, Report.objects.filed_by)
OTHERS_REPORTS = Listing(ReportSerializer, Report.objects.readable_by_superuser)

#: What else PUT and PATCH may answer, for the API's description.
NOT_UPDATED = {
    400: NOT_OPEN,
    403: NOT_REPORTER,
}


class ReportViewSet(LenientUpdateMixin, ApiViewSet[Report]):
    scopes = {
        "list": Scope.REPORTS_READ,
        "retrieve": Scope.REPORTS_READ,
        "create": Scope.REPORTS_WRITE,
        "update": Scope.REPORTS_WRITE,
        "partial_update": Scope.REPORTS_WRITE,
    }
    serializer_class = ReportSerializer
    filterset_class = ReportFilter
    newest_first = True
    cursor_description = "the id of a report"
    not_found = REPORT_NOT_FOUND

    def get_queryset(self) -> ReportQuerySet:
        return Report.objects.with_names().visible_to(self.user)

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, ReportThrottle()] if self.action == "create" else throttles

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        editing = self.action in {"update", "partial_update"}
        return ReportEditSerializer if editing else ReportSerializer

    @extend_schema(tags=["reports"], operation_id="list_reports", summary="One's own reports")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer_list(OWN_REPORTS, self.user)

    @extend_schema(
        tags=["reports"],
        operation_id="file_report",
        summary="Report something, or a message, to the moderators",
        parameters=[IDEMPOTENCY_KEY],
        responses={201: ReportSerializer, 400: NO_SUCH_MESSAGE},
    )
    def create(self, request: Request) -> Response:
        serializer = ReportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        key = read_idempotency_key(request, fields)
        serializer.instance, is_new = file_report(self.user, **fields, idempotency_key=key)
        return created(serializer, is_new=is_new)

    @extend_schema(tags=["reports"], operation_id="get_report", summary="One report")
    def retrieve(self, request: Request, pk: str) -> Response:
        if self.user.is_superuser:
            return self.answer_item(OTHERS_REPORTS, self.user, pk=pk)
        return self.answer_item(OWN_REPORTS, self.user, pk=pk)

    @extend_schema(
        tags=["reports"],
        operation_id="update_report",
        summary="Change one's report while it is open",
        responses={200: ReportSerializer, **NOT_UPDATED},
    )
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @extend_schema(
        tags=["reports"],
        operation_id="patch_report",
        summary="The same as PUT",
        responses={200: ReportSerializer, **NOT_UPDATED},
    )
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        report: Any = serializer.instance
        update_report(report, editor=self.user, **serializer.validated_data)
