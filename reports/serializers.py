from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aimessage.api.serializers import RowModelSerializer
from aimessage.db.fields import IdField, VisibleField
from messaging.serializers import ContentField
from reports.models import TITLE_MAX_LENGTH, Report

EXAMPLE_REPORT = {
    "id": 3,
    "reporter_id": 1,
    "reporter_username": "alice",
    "title": "Insults",
    "content": "He goes on although I asked him to stop.",
    "message_id": 42,
    "status": "open",
    "comment": None,
    "resolved_at": None,
    "resolved_by": None,
    "resolver_username": None,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
}
EXAMPLE_COMPLAINT = {
    "title": "Insults",
    "content": "He goes on although I asked him to stop.",
    "message_id": 42,
}


@extend_schema_serializer(
    examples=[
        OpenApiExample("Report", value=EXAMPLE_REPORT, response_only=True),
        OpenApiExample("Complaint", value=EXAMPLE_COMPLAINT, request_only=True),
    ]
)
class ReportSerializer(RowModelSerializer[Report]):
    reporter_id = serializers.IntegerField(read_only=True, allow_null=True)
    reporter_username = serializers.CharField(source="reporter.username", read_only=True, allow_null=True)
    title = VisibleField(max_length=TITLE_MAX_LENGTH)
    content = ContentField()
    message_id = IdField(required=False, allow_null=True)
    resolved_by = serializers.IntegerField(source="resolved_by_id", read_only=True, allow_null=True)
    resolver_username = serializers.CharField(source="resolved_by.username", read_only=True, allow_null=True)

    class Meta:
        model = Report
        fields = list(EXAMPLE_REPORT)
        read_only_fields = ["id", "status", "comment", "resolved_at", "created_at", "updated_at"]


@extend_schema_serializer(
    examples=[
        OpenApiExample("Report", value=EXAMPLE_REPORT, response_only=True),
        OpenApiExample("Edit", value={"title": "Insults and threats"}, request_only=True),
    ]
)
class ReportEditSerializer(ReportSerializer):
    message_id = IdField(read_only=True, allow_null=True)
