"""The assistant's part of an account's export."""

from accounts.models import User
from accounts.services import exporting
from accounts.services.exporting import Rows, by_id
from assistant.models import Reply, Step, Thread, Usage


def replies(user: User) -> Rows:
    # Without the texts of questions and answers, which the export has as messages.
    columns = [
        *("id", "question_id", "answer_id", "conversation_id", "state", "reason", "model"),
        *("tokens_in", "tokens_out", "cost", "created_at", "started_at", "finished_at"),
    ]
    for row in by_id(Reply.objects.filter(asker=user).values(*columns)):
        steps = Step.objects.filter(reply=row["id"]).order_by("number")
        row["tools"] = [
            {"name": call["name"], "arguments": call["arguments"], "result": result}
            for step in steps
            for call, result in step.calls_with_results()
        ]
        yield {**row, "cost": str(row["cost"])}


def preferences(user: User) -> Rows:
    for thread in Thread.objects.filter(user=user):
        yield {"share_messages": thread.share_messages, "handed_over_at": thread.paused_at}
    columns = ["id", "day", "requests", "tokens_in", "tokens_out", "cost"]
    for row in by_id(Usage.objects.filter(user=user).values(*columns)):
        del row["id"]
        yield {**row, "day": row["day"].isoformat(), "cost": str(row["cost"])}


exporting.sources |= {"assistant.ndjson": replies, "allowance.json": preferences}
