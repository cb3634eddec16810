"""Tools for the asker's own reports. Superusers, too, get only their own."""

from aimessage.api.throttles import seconds_to_wait
from aimessage.db.ids import LARGEST
from assistant.models import Effect
from assistant.tools import Arguments, Call, Result, Tool, ToolError, add_tool
from messaging.models import CONTENT_MAX_LENGTH
from reports.models import TITLE_MAX_LENGTH, Report
from reports.serializers import ReportEditSerializer, ReportSerializer
from reports.services import REPORT_NOT_FOUND, file_report, update_report

LISTED = 20
ID = {"type": "integer", "minimum": 1, "maximum": LARGEST}
TEXTS = {
    "title": {"type": "string", "maxLength": TITLE_MAX_LENGTH},
    "content": {"type": "string", "maxLength": CONTENT_MAX_LENGTH},
}
#: Fields of a report that the model gets.
SHOWN = ["id", "title", "content", "status", "comment", "created_at", "resolved_at"]


def shown(report: Report) -> Result:
    item = ReportSerializer.show(report)
    return {name: item[name] for name in SHOWN}


def has_comment(result: Result) -> bool:
    # A moderator's comment may quote other people.
    return any(report["comment"] for report in result.get("reports", [result]))


def list_my_reports(call: Call, arguments: Arguments) -> Result:
    reports = Report.objects.filed_by(call.asker).with_names().order_by("-pk")
    if "status" in arguments:
        reports = reports.filter(status=arguments["status"])
    return {"reports": [shown(report) for report in reports[: arguments.get("limit", LISTED)]]}


def get_my_report(call: Call, arguments: Arguments) -> Result:
    return shown(_find(call, arguments))


def create_report(call: Call, arguments: Arguments) -> Result:
    wait = seconds_to_wait("report", str(call.asker.pk))
    if wait is not None:
        raise ToolError("The user has filed too many reports, and must wait before filing another")
    fields = _checked(ReportSerializer(data=arguments))
    report, _ = file_report(call.asker, title=fields["title"], content=fields["content"])
    Effect.objects.create(reply=call.reply, tool="create_report", report=report)
    return shown(report)


def update_my_report(call: Call, arguments: Arguments) -> Result:
    report = _find(call, arguments)
    texts = {name: arguments[name] for name in TEXTS if name in arguments}
    fields = _checked(ReportEditSerializer(report, data=texts, partial=True))
    report = update_report(report, editor=call.asker, **fields)
    Effect.objects.create(reply=call.reply, tool="update_my_report", report=report)
    return shown(report)


def _find(call: Call, arguments: Arguments) -> Report:
    found = Report.objects.filed_by(call.asker).with_names().filter(pk=int(arguments["id"])).first()
    if found is None:
        raise ToolError(REPORT_NOT_FOUND)
    return found


def _checked(serializer: ReportSerializer) -> dict[str, str]:
    serializer.is_valid(raise_exception=True)
    return {name: serializer.validated_data[name] for name in TEXTS if name in serializer.validated_data}


add_tool(
    Tool(
        name="list_my_reports",
        description="Lists the reports that the user has filed with the moderators, the newest first.",
        parameters={
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": Report.Status.values},
                "limit": {"type": "integer", "minimum": 1, "maximum": LISTED},
            },
        },
        function=list_my_reports,
        shows_others_words=has_comment,
    )
)
add_tool(
    Tool(
        name="get_my_report",
        description="Shows one of the user's own reports, with the moderators' comment.",
        parameters={"type": "object", "properties": {"id": ID}, "required": ["id"]},
        function=get_my_report,
        shows_others_words=has_comment,
    )
)
add_tool(
    Tool(
        name="create_report",
        description=(
            "Files a report with the moderators in the user's name. Use it only when the user asks for one."
        ),
        parameters={"type": "object", "properties": TEXTS, "required": ["title", "content"]},
        function=create_report,
        changes=True,
    )
)
add_tool(
    Tool(
        name="update_my_report",
        description="Changes the title or the text of one of the user's own reports while it is open.",
        parameters={"type": "object", "properties": {"id": ID, **TEXTS}, "required": ["id"]},
        function=update_my_report,
        changes=True,
        shows_others_words=has_comment,
    )
)
