from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.throttling import BaseThrottle

from aimessage.api.idempotency import read_idempotency_key
from aimessage.api.lists.listing import Listing
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet, LenientUpdateMixin
from messaging.views.sending import created
from reports.filters import ReportFilter
from reports.models import Report
from reports.querysets import ReportQuerySet
from reports.serializers import ReportEditSerializer, ReportSerializer
from reports.services import REPORT_NOT_FOUND, file_report, update_report
from reports.throttles import ReportThrottle

OWN_REPORTS = Listing(ReportSerializer, Report.objects.filed_by)
OTHERS_REPORTS = Listing(ReportSerializer, Report.objects.readable_by_superuser)


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

    def get_serializer_class(self) -> type[BaseSerializer[Report]]:
        editing = self.action in {"update", "partial_update"}
        return ReportEditSerializer if editing else ReportSerializer

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.answer_list(OWN_REPORTS, self.user)

    def create(self, request: Request) -> Response:
        serializer = ReportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        key = read_idempotency_key(request, fields)
        report, is_new = file_report(self.user, **fields, idempotency_key=key)
        return created(ReportSerializer.show(report), is_new=is_new)

    def retrieve(self, request: Request, pk: str) -> Response:
        if self.user.is_superuser:
            return self.answer_item(OTHERS_REPORTS, self.user, pk=pk)
        return self.answer_item(OWN_REPORTS, self.user, pk=pk)

    def perform_update(self, serializer: BaseSerializer[Report]) -> None:
        report: Any = serializer.instance
        update_report(report, editor=self.user, **serializer.validated_data)
