"""What an export of an account holds of the assistant."""

from typing import Any

from accounts.models import User
from accounts.services import exporting
from accounts.services.exporting import Rows, by_id
from assistant.models import Reply, Step, Thread, Usage


def replies(user: User) -> Rows:
    """What was asked, what came of it, and what the tools did; the texts are among the messages."""
    columns = [
        *("id", "question_id", "answer_id", "conversation_id", "state", "reason", "model"),
        *("tokens_in", "tokens_out", "cost", "created_at", "started_at", "finished_at"),
    ]
    for row in by_id(Reply.objects.filter(asker=user).values(*columns)):
        steps = Step.objects.filter(reply=row["id"]).order_by("number")
        row["tools"] = [_tool(call, given) for step in steps for call, given in _calls(step)]
        yield {**row, "cost": str(row["cost"])}


def _calls(step: Step) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(zip(step.call["calls"], step.result, strict=True))


def _tool(call: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {"name": call["name"], "arguments": call["arguments"], "result": given["result"]}


def preferences(user: User) -> Rows:
    """What they let the assistant see, and what they used, day by day."""
    for thread in Thread.objects.filter(user=user):
        yield {"share_messages": thread.share_messages, "handed_over_at": thread.paused_at}
    columns = ["id", "day", "requests", "tokens_in", "tokens_out", "cost"]
    for row in by_id(Usage.objects.filter(user=user).values(*columns)):
        del row["id"]
        yield {**row, "day": row["day"].isoformat(), "cost": str(row["cost"])}


exporting.sources |= {"assistant.ndjson": replies, "allowance.json": preferences}
