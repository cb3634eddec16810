from drf_spectacular.utils import extend_schema

from aimessage.api.schema.descriptions import ViewDescription
from aimessage.api.schema.parts import IDEMPOTENCY_KEY
from reports.serializers import ReportSerializer
from reports.services import NO_SUCH_MESSAGE, NOT_OPEN, NOT_REPORTER
from reports.views import ReportViewSet

#: Why PUT and PATCH are refused.
NOT_UPDATED = {400: NOT_OPEN, 403: NOT_REPORTER}


class ReportDescription(ViewDescription):
    target_class = ReportViewSet
    operations = {
        "list": extend_schema(tags=["reports"], operation_id="list_reports", summary="One's own reports"),
        "create": extend_schema(
            tags=["reports"],
            operation_id="file_report",
            summary="Report something, or a message, to the moderators",
            parameters=[IDEMPOTENCY_KEY],
            responses={201: ReportSerializer, 400: NO_SUCH_MESSAGE},
        ),
        "retrieve": extend_schema(tags=["reports"], operation_id="get_report", summary="One report"),
        "update": extend_schema(
            tags=["reports"],
            operation_id="update_report",
            summary="Change one's report while it is open",
            responses={200: ReportSerializer, **NOT_UPDATED},
        ),
        "partial_update": extend_schema(
            tags=["reports"],
            operation_id="patch_report",
            summary="The same as PUT",
            responses={200: ReportSerializer, **NOT_UPDATED},
        ),
    }
